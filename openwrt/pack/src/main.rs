//! The command line of the package writer.

use std::{
    fs,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use meshwork_pack::{apk, deb, ipk, manifest, sign::Key};

const HELP: &str = "\
Writes packages, the same bytes every time.

Usage:
  meshwork-pack ipk|apk|deb DESCRIPTION --version V --arch A [options]
  meshwork-pack key FILE        makes a key to sign .apk packages with: FILE, and FILE.pub to hand out

Options:
  --version V     version with the package's revision, such as 0.1.0-r1
  --arch A        architecture as the target's package manager spells it
  --program FILE  the built program, where the description says {program}
  --key FILE      signs an .apk with this key
  --out FOLDER    where the package goes (default: the current folder)
  --time N        time stamp of all files in seconds since 1970 (default: SOURCE_DATE_EPOCH, else 0)
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("meshwork-pack: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut parser = lexopt::Parser::from_env();
    let mut words = Vec::new();
    let (mut version, mut arch, mut program, mut key, mut time) = (None, None, None, None, None);
    let mut out = PathBuf::from(".");
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(());
            }
            Long("version") => version = Some(parser.value()?.string()?),
            Long("arch") => arch = Some(parser.value()?.string()?),
            Long("program") => program = Some(PathBuf::from(parser.value()?)),
            Long("key") => key = Some(PathBuf::from(parser.value()?)),
            Long("out") => out = parser.value()?.into(),
            Long("time") => time = Some(parser.value()?.parse()?),
            Value(word) => words.push(word.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (format, description) = match words[..] {
        ["key", file] => return make_key(Path::new(file)),
        [format @ ("ipk" | "apk" | "deb"), description] => (format, description),
        _ => bail!("what is wanted? ipk, apk or deb and a description, or key and a file; --help says more"),
    };
    let build = manifest::Build {
        version: version.context("--version is missing, such as 0.1.0-r1")?,
        arch: arch.context("--arch is missing, such as mips_24kc")?,
        program,
        mtime: match (time, std::env::var("SOURCE_DATE_EPOCH")) {
            (Some(time), _) => time,
            (None, Ok(text)) => {
                text.parse().with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, no number of seconds"))?
            }
            (None, Err(_)) => 0,
        },
    };
    let package = manifest::read(Path::new(description), &build)?;
    let (name, version, arch) = (&package.name, &package.version, &package.arch);
    let (file, bytes) = match format {
        "ipk" => (format!("{name}_{version}_{arch}.ipk"), ipk::write(&package)?),
        "deb" => (format!("{name}_{version}_{arch}.deb"), deb::write(&package)?),
        _ => {
            let key = key
                .map(|path| {
                    let text = fs::read_to_string(&path).with_context(|| format!("key {}", path.display()))?;
                    Key::from_pem(&text).with_context(|| format!("key {}", path.display()))
                })
                .transpose()?;
            // OpenWrt keeps packages of all architectures in folders of their own; a person does not.
            (format!("{name}-{version}_{arch}.apk"), apk::write(&package, key.as_ref())?)
        }
    };
    let path = out.join(file);
    fs::write(&path, &bytes).with_context(|| format!("{}", path.display()))?;
    println!("{} ({} bytes)", path.display(), bytes.len());
    Ok(())
}

/// Writes a new private key that only its owner can read, and the public one beside it.
fn make_key(path: &Path) -> Result<()> {
    let public = PathBuf::from(format!("{}.pub", path.display()));
    ensure!(
        !path.exists() && !public.exists(),
        "{} or {} exists already: packages signed with it need it, so it is not overwritten",
        path.display(),
        public.display()
    );
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut seed)).context("/dev/urandom")?;
    let key = Key::from_seed(seed)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{}", path.display()))?;
    std::io::Write::write_all(&mut file, key.to_pem()?.as_bytes())?;
    fs::write(&public, key.public_pem()?)?;
    println!("{}: keep it secret\n{}: routers need it in /etc/apk/keys", path.display(), public.display());
    Ok(())
}
