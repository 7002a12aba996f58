//! The manifest of an upgrade, made from the files that it offers.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use upgrade::{Image, Kind, Manifest, Sha256};

/// CPUs that `openwrt/build` makes programs for.
const CPUS: [&str; 5] = ["mips", "mipsel", "armv7", "aarch64", "x86_64"];

/// What the command line says.
#[derive(Debug)]
pub struct Offer {
    /// Higher than that of every manifest before.
    pub serial: u32,
    /// Which nodes it is for.
    pub branch: String,
    /// Version that the images hold.
    pub version: String,
    /// Hours to spread it over.
    pub spread_hours: u16,
    files: Vec<(Kind, Vec<String>, PathBuf)>,
}

impl Default for Offer {
    fn default() -> Self {
        Self { serial: 0, branch: "stable".into(), version: String::new(), spread_hours: 24, files: Vec::new() }
    }
}

impl Offer {
    /// Adds `WHAT[+WHAT...]=FILE`.
    ///
    /// # Errors
    /// It has another shape, or names a CPU that there is no program for.
    pub fn add(&mut self, kind: Kind, text: &str) -> Result<()> {
        let (fits, file) =
            text.split_once('=').with_context(|| format!("{text:?} is not WHAT=FILE, as mips=meshwork-mips"))?;
        let fits: Vec<String> = fits.split('+').map(str::to_owned).collect();
        if kind == Kind::Program {
            for cpu in &fits {
                ensure!(CPUS.contains(&cpu.as_str()), "{cpu:?} is no CPU of ours, allowed: {}", CPUS.join(", "));
            }
        }
        self.files.push((kind, fits, file.into()));
        Ok(())
    }

    /// Reads the files, and writes down what they are.
    ///
    /// # Errors
    /// A file cannot be read or lies under a name that cannot stand in a manifest, or something is missing.
    pub fn manifest(&self) -> Result<Manifest> {
        ensure!(self.serial > 0, "--serial is missing: a number higher than that of every manifest before");
        ensure!(!self.files.is_empty(), "nothing is offered: name files with --program and --firmware");
        let mut images = Vec::new();
        for (kind, fits, path) in &self.files {
            let name =
                path.file_name().and_then(|n| n.to_str()).with_context(|| format!("{} has no name", path.display()))?;
            let (size, sha256) = measure(path)?;
            images.push(Image { kind: *kind, name: name.to_owned(), size, sha256, fits: fits.clone() });
        }
        let manifest = Manifest {
            serial: self.serial,
            branch: self.branch.clone(),
            version: self.version.clone(),
            spread_hours: self.spread_hours,
            images,
            signatures: Vec::new(),
        };
        // What no node would read is not written.
        Manifest::parse(manifest.to_text().as_bytes()).context("this cannot be offered")?;
        Ok(manifest)
    }
}

/// Whether the files beside a manifest are those that it names: a signer signs what is there.
///
/// # Errors
/// One is missing or another one.
pub fn check_files(manifest: &Manifest, folder: &Path) -> Result<()> {
    for image in &manifest.images {
        let path = folder.join(&image.name);
        let found = measure(&path)?;
        ensure!(found == (image.size, image.sha256), "{} is not the file that the manifest names", path.display());
    }
    Ok(())
}

fn measure(path: &Path) -> Result<(u32, [u8; 32])> {
    let mut file = fs::File::open(path).with_context(|| format!("{}", path.display()))?;
    let (mut hash, mut size, mut part) = (Sha256::default(), 0, vec![0; 65_536]);
    loop {
        let n = file.read(&mut part).with_context(|| format!("{}", path.display()))?;
        if n == 0 {
            break;
        }
        hash.update(part.get(..n).unwrap_or_default());
        size += u64::try_from(n)?;
    }
    let size = u32::try_from(size).with_context(|| format!("{} is larger than any router's flash", path.display()))?;
    Ok((size, hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade::SecretKey;

    #[test]
    fn an_offer_names_its_files_and_only_those() {
        let dir = std::env::temp_dir().join(format!("offer-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (program, image) = (dir.join("meshwork-mips"), dir.join("c7.bin"));
        fs::write(&program, "abc").unwrap();
        fs::write(&image, "image").unwrap();
        let mut offer = Offer { serial: 3, version: "0.2.0".into(), ..Offer::default() };
        assert!(offer.manifest().unwrap_err().to_string().contains("nothing is offered"));
        offer.add(Kind::Program, &format!("mips={}", program.display())).unwrap();
        offer.add(Kind::Firmware, &format!("tplink,archer-c7-v2+tplink,archer-c7-v3={}", image.display())).unwrap();
        let error = offer.add(Kind::Program, "sparc=x").unwrap_err().to_string();
        assert!(error.contains("mipsel"), "{error}");

        let mut manifest = offer.manifest().unwrap();
        assert_eq!(manifest.images[0].size, 3);
        let text = manifest.to_text();
        assert!(text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad mips\n"), "{text}");
        assert!(text.contains(" tplink,archer-c7-v2 tplink,archer-c7-v3\n"), "{text}");
        check_files(&manifest, &dir).unwrap();
        let key = SecretKey::from_seed([1; 32]).unwrap();
        manifest.sign(&key);
        assert_eq!(manifest.verify(&[key.public()], 1), Ok(1));
        fs::write(&program, "abd").unwrap();
        assert!(check_files(&manifest, &dir).is_err(), "signed blindly");
        offer.branch = "two words".into();
        assert!(offer.manifest().is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
