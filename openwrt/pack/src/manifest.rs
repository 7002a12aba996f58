//! The description of a package, as a person writes it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::package::{Package, Scripts};

/// Stands for the built program in `from`.
const PROGRAM: &str = "{program}";
/// Stands for the folder of what a program has to write first, such as the man page.
const GENERATED: &str = "{generated}/";

/// A description in TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    summary: String,
    #[serde(default)]
    description: String,
    license: String,
    section: String,
    #[serde(default)]
    maintainer: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    depends: Vec<String>,
    #[serde(default)]
    conffiles: Vec<String>,
    /// Where a file goes, and what it is.
    files: BTreeMap<String, Source>,
    /// Symbolic links: where, and to what.
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    scripts: Own,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    /// A file beside the description, `{program}`, or `{generated}/NAME`.
    from: String,
    /// Permission bits in octal. 644 unless said.
    mode: Option<String>,
}

/// Files with scripts, beside the description.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    postinst: Option<String>,
    prerm: Option<String>,
    postrm: Option<String>,
}

/// What the command line adds.
#[derive(Debug)]
pub struct Build {
    /// Version in the spelling of the format.
    pub version: String,
    /// Architecture in the spelling of the format.
    pub arch: String,
    /// The built program, where the package has one.
    pub program: Option<PathBuf>,
    /// Where files lie that were made for this package.
    pub generated: Option<PathBuf>,
    /// Seconds since 1970, for every time stamp.
    pub mtime: u64,
}

/// Reads the description at `path` and every file that it names.
///
/// # Errors
/// It cannot be read, has a key that nobody knows, or a file that it names is missing.
pub fn read(path: &Path, build: &Build) -> Result<Package> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let manifest: Manifest = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let beside = path.parent().unwrap_or(Path::new("."));
    let script = |name: Option<String>| match name {
        None => Ok(String::new()),
        Some(name) => {
            let path = beside.join(name);
            fs::read_to_string(&path).with_context(|| format!("{}", path.display()))
        }
    };
    let mut package = Package {
        name: manifest.name,
        version: build.version.clone(),
        arch: build.arch.clone(),
        summary: manifest.summary,
        description: manifest.description,
        license: manifest.license,
        url: manifest.url,
        maintainer: manifest.maintainer,
        section: manifest.section,
        depends: manifest.depends,
        conffiles: manifest.conffiles,
        user: manifest.user,
        mtime: build.mtime,
        scripts: Scripts {
            postinst: script(manifest.scripts.postinst)?,
            prerm: script(manifest.scripts.prerm)?,
            postrm: script(manifest.scripts.postrm)?,
        },
        ..Package::default()
    };
    for (place, source) in manifest.files {
        let from = match (source.from.as_str(), &build.program, &build.generated) {
            (PROGRAM, Some(program), _) => program.clone(),
            (PROGRAM, None, _) => bail!("{place} is the built program: say where it is with --program"),
            (name, _, generated) => match (name.strip_prefix(GENERATED), generated) {
                (Some(name), Some(folder)) => folder.join(name),
                (Some(_), None) => bail!("{place} is made by a program: say where it is with --generated"),
                (None, _) => beside.join(name),
            },
        };
        let mode = source.mode.as_deref().unwrap_or("644");
        let mode = u16::from_str_radix(mode, 8)
            .with_context(|| format!("{place}: mode {mode:?} is no octal number such as 755"))?;
        let bytes = fs::read(&from).with_context(|| format!("{place}: {}", from.display()))?;
        package.tree.file(&place, mode, bytes)?;
    }
    for (place, target) in &manifest.links {
        package.tree.link(place, target)?;
    }
    for path in &package.conffiles {
        ensure!(package.tree.get(path).is_some(), "conffiles names {path}, which is not among the files");
    }
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build() -> Build {
        Build { version: "1-r1".into(), arch: "noarch".into(), program: None, generated: None, mtime: 0 }
    }

    fn read_text(text: &str) -> Result<Package> {
        let dir = std::env::temp_dir().join(format!("pack-{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("x"), "content")?;
        fs::write(dir.join("p.toml"), text)?;
        let read = read(&dir.join("p.toml"), &build());
        fs::remove_dir_all(&dir)?;
        read
    }

    const HEAD: &str = "name = \"n\"\nsummary = \"s\"\nlicense = \"MIT\"\nsection = \"net\"\n";

    #[test]
    fn files_links_and_modes() {
        let package = read_text(&format!(
            "{HEAD}conffiles = [\"/etc/x\"]\n[files]\n\"/etc/x\" = {{ from = \"x\", mode = \"600\" }}\n[links]\n\"/y\" = \"x\"\n"
        ))
        .unwrap();
        assert_eq!(package.tree.get("/etc/x").unwrap().mode, 0o600);
        assert!(package.tree.get("/y").is_some());
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (text, word) in [
            ("[files]\n\"/p\" = { from = \"{program}\" }\n", "--program"),
            ("[files]\n\"/p\" = { from = \"{generated}/x\" }\n", "--generated"),
            ("[files]\n\"/p\" = { from = \"x\", mode = \"rwx\" }\n", "octal"),
            ("[files]\n\"/p\" = { from = \"nowhere\" }\n", "nowhere"),
            ("conffiles = [\"/q\"]\n[files]\n", "/q"),
            ("color = 1\n[files]\n", "color"),
        ] {
            let error = format!("{:#}", read_text(&format!("{HEAD}{text}")).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
    }
}
