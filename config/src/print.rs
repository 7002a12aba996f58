//! The file that says the same as a checked configuration, every setting written out.

use crate::checked::{Config, Link};
use crate::keys::{self, Show};
use crate::radio::Radio;
use std::fmt;

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, table) in keys::tables().enumerate() {
            if table == "link" {
                self.links.iter().try_for_each(|link| print_link(f, link))?;
                continue;
            }
            if table == "radio" {
                self.radios.iter().try_for_each(|radio| print_radio(f, radio))?;
                continue;
            }
            if i > 0 {
                writeln!(f)?;
            }
            writeln!(f, "[{table}]")?;
            for key in keys::of(table) {
                let Show::Node(show) = key.show else { continue };
                match show(self) {
                    Some(value) => writeln!(f, "{} = {value}", key.name)?,
                    None => writeln!(f, "# {}: chosen by the node", key.name)?,
                }
            }
        }
        Ok(())
    }
}

fn print_link(f: &mut fmt::Formatter<'_>, link: &Link) -> fmt::Result {
    writeln!(f, "\n[[link]]")?;
    for key in keys::of("link") {
        if let Show::Link(show) = key.show
            && let Some(value) = show(link)
        {
            writeln!(f, "{} = {value}", key.name)?;
        }
    }
    Ok(())
}

fn print_radio(f: &mut fmt::Formatter<'_>, radio: &Radio) -> fmt::Result {
    f.write_str("\n")?;
    f.write_str(&radio.to_toml())
}
