//! The command line of the package writer and of those who sign upgrades.

use std::{
    fs,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use meshwork_pack::{apk, deb, feed, ipk, manifest, offer, sign::Key, usign::FeedKey};
use upgrade::{Kind, Manifest, SecretKey};

const HELP: &str = "\
Writes packages, the same bytes every time.

Usage:
  meshwork-pack ipk|apk|deb DESCRIPTION --version V --arch A [options]
  meshwork-pack index ipk|apk FOLDER [--key FILE]
                                the index of a folder of packages, from which routers install
  meshwork-pack key FILE        makes a key to sign .apk packages and their index with: FILE, and FILE.pub to hand out
  meshwork-pack feed-key FILE   the same for the index of .ipk packages
  meshwork-pack signer FILE     makes a key to sign upgrades with: FILE, and FILE.pub to hand out
  meshwork-pack offer FILE --serial N --version V [options]
                                writes the manifest of an upgrade, not signed yet
  meshwork-pack sign FILE --key FILE
                                adds a signer's signature to a manifest, and says what it offers

Options:
  --version V     version with the package's revision, such as 0.1.0-r1
  --arch A        architecture as the target's package manager spells it
  --program FILE  the built program, where the description says {program}
  --generated FOLDER
                  files that other programs made, where the description says {generated}/NAME
  --name TEXT     what an index of .apk packages calls itself
  --key FILE      signs an .apk with this key
  --out FOLDER    where the package goes (default: the current folder)
  --time N        time stamp of all files in seconds since 1970 (default: SOURCE_DATE_EPOCH, else 0)

Options of offer:
  --serial N      higher than that of every manifest before
  --branch NAME   which nodes it is for (default: stable)
  --spread HOURS  time over which the nodes' upgrades are spread (default: 24)
  --program CPU=FILE
                  a program for mips, mipsel, armv7, aarch64 or x86_64; may be repeated
  --firmware BOARD[+BOARD...]=FILE
                  an image for sysupgrade and the boards it fits, as /tmp/sysinfo/board_name says; may be repeated
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
    let (mut generated, mut name) = (None, String::new());
    let mut out = PathBuf::from(".");
    let mut offered = offer::Offer::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(());
            }
            Long("version") => version = Some(parser.value()?.string()?),
            Long("arch") => arch = Some(parser.value()?.string()?),
            Long("serial") => offered.serial = parser.value()?.parse()?,
            Long("branch") => offered.branch = parser.value()?.string()?,
            Long("spread") => offered.spread_hours = parser.value()?.parse()?,
            Long("firmware") => offered.add(Kind::Firmware, &parser.value()?.string()?)?,
            Long("program") if words.first().is_some_and(|w| w == "offer") => {
                offered.add(Kind::Program, &parser.value()?.string()?)?;
            }
            Long("program") => program = Some(PathBuf::from(parser.value()?)),
            Long("generated") => generated = Some(PathBuf::from(parser.value()?)),
            Long("name") => name = parser.value()?.string()?,
            Long("key") => key = Some(PathBuf::from(parser.value()?)),
            Long("out") => out = parser.value()?.into(),
            Long("time") => time = Some(parser.value()?.parse()?),
            Value(word) => words.push(word.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (format, description) = match words[..] {
        ["key", file] => {
            let key = Key::from_seed(seed()?)?;
            return write_keys(Path::new(file), &key.to_pem()?, &key.public_pem()?, "/etc/apk/keys");
        }
        ["feed-key", file] => {
            let key = FeedKey::from_seed(seed()?);
            let place = format!("/etc/opkg/keys under the name {}", key.id());
            return write_keys(Path::new(file), &key.secret_file(), &key.public_file(), &place);
        }
        ["index", format @ ("ipk" | "apk"), folder] => {
            let folder = Path::new(folder);
            let parts = if format == "ipk" {
                let key = key.map(|path| read_key(&path, FeedKey::from_file)).transpose()?;
                feed::opkg(folder, key.as_ref())?
            } else {
                let key = key.map(|path| read_key(&path, Key::from_pem)).transpose()?;
                feed::apk(folder, &name, key.as_ref())?
            };
            return parts.iter().try_for_each(|(name, bytes)| put(&folder.join(name), bytes));
        }
        ["signer", file] => return make_signer(Path::new(file)),
        ["offer", file] => {
            offered.version = version.context("--version is missing, such as 0.2.0")?;
            return write_offer(Path::new(file), &offered);
        }
        ["sign", file] => {
            return sign_offer(Path::new(file), &key.context("--key is missing: make one with meshwork-pack signer")?);
        }
        [format @ ("ipk" | "apk" | "deb"), description] => (format, description),
        _ => bail!(
            "what is wanted? ipk, apk or deb and a description; or key, signer, offer or sign and a file; --help says more"
        ),
    };
    let build = manifest::Build {
        version: version.context("--version is missing, such as 0.1.0-r1")?,
        arch: arch.context("--arch is missing, such as mips_24kc")?,
        program,
        generated,
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
            let key = key.map(|path| read_key(&path, Key::from_pem)).transpose()?;
            // OpenWrt keeps packages of all architectures in folders of their own; a person does not.
            (format!("{name}-{version}_{arch}.apk"), apk::write(&package, key.as_ref())?)
        }
    };
    put(&out.join(file), &bytes)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{}", path.display()))?;
    println!("{} ({} bytes)", path.display(), bytes.len());
    Ok(())
}

fn read_key<K>(path: &Path, read: impl Fn(&str) -> Result<K>) -> Result<K> {
    let text = fs::read_to_string(path).with_context(|| format!("key {}", path.display()))?;
    read(&text).with_context(|| format!("key {}", path.display()))
}

/// Writes a key and says where routers look for its public half.
fn write_keys(path: &Path, secret: &str, public: &str, place: &str) -> Result<()> {
    let public = keep_key(path, secret, public)?;
    println!("{}: keep it secret\n{}: routers need it in {place}", path.display(), public.display());
    Ok(())
}

/// Makes a key for upgrades.
fn make_signer(path: &Path) -> Result<()> {
    let key = SecretKey::from_seed(seed()?).context("these random bytes make no key: try again")?;
    let public = keep_key(path, &format!("{}\n", key.to_text()), &format!("{}\n", key.public()))?;
    println!("{}: keep it secret\n{}: routers need the line in it as: list key", path.display(), public.display());
    Ok(())
}

fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut seed)).context("/dev/urandom")?;
    Ok(seed)
}

fn write_offer(path: &Path, offered: &offer::Offer) -> Result<()> {
    let text = offered.manifest()?.to_text();
    fs::write(path, &text).with_context(|| format!("{}", path.display()))?;
    println!("{}: not signed yet; each signer runs: meshwork-pack sign {0} --key KEY", path.display());
    Ok(())
}

/// Signs what is there, images and all looked at by the signer first: the tool says what it offers.
fn sign_offer(path: &Path, key: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
    let mut manifest = Manifest::parse(&bytes).with_context(|| format!("{}", path.display()))?;
    let text = fs::read_to_string(key).with_context(|| format!("key {}", key.display()))?;
    let key = SecretKey::parse(text.trim())
        .with_context(|| format!("{} is no signer's key: make one with meshwork-pack signer", key.display()))?;
    offer::check_files(&manifest, path.parent().unwrap_or(Path::new(".")))?;
    manifest.sign(&key);
    fs::write(path, manifest.to_text()).with_context(|| format!("{}", path.display()))?;
    print!("{}", manifest.signed_text());
    println!("{}: signed by {} of {} signers", path.display(), key.public(), manifest.signatures.len());
    Ok(())
}

/// Writes a new private key that only its owner can read, and the public one beside it.
fn keep_key(path: &Path, secret: &str, open: &str) -> Result<PathBuf> {
    let public = PathBuf::from(format!("{}.pub", path.display()));
    ensure!(
        !path.exists() && !public.exists(),
        "{} or {} exists already: what was signed with it needs it, so it is not overwritten",
        path.display(),
        public.display()
    );
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{}", path.display()))?;
    std::io::Write::write_all(&mut file, secret.as_bytes())?;
    fs::write(&public, open)?;
    Ok(public)
}
