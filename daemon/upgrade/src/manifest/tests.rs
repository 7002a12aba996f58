use super::*;
use proptest::prelude::*;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32]).unwrap()
}

fn offer() -> Manifest {
    let image = |kind, name: &str, fits: &[&str]| Image {
        kind,
        name: name.to_owned(),
        size: 1_198_720,
        sha256: [0xab; 32],
        fits: fits.iter().map(|&f| f.to_owned()).collect(),
    };
    Manifest {
        serial: 17,
        branch: "stable".to_owned(),
        version: "0.2.0".to_owned(),
        spread_hours: 24,
        images: vec![
            image(Kind::Program, "meshwork-mips", &["mips"]),
            image(Kind::Firmware, "c7.bin", &["tplink,archer-c7-v2", "tplink,archer-c7-v3"]),
        ],
        signatures: Vec::new(),
    }
}

fn signed(keys: &[u8]) -> Manifest {
    let mut manifest = offer();
    keys.iter().for_each(|&n| manifest.sign(&key(n)));
    manifest
}

fn trusted() -> Vec<PublicKey> {
    [1, 2, 3].map(|n| key(n).public()).to_vec()
}

const NODE: Running<'_> =
    Running { serial: 16, branch: "stable", version: "0.1.0", cpu: "mips", board: "tplink,archer-c7-v2" };

#[test]
fn two_of_three() {
    assert_eq!(signed(&[1, 2]).verify(&trusted(), 2), Ok(2));
    assert_eq!(signed(&[3, 1]).verify(&trusted(), 2), Ok(2));
    assert_eq!(signed(&[9, 3, 1]).verify(&trusted(), 2), Ok(2), "a stranger beside them does no harm");
    let few = signed(&[1]).verify(&trusted(), 2).unwrap_err();
    assert_eq!(few, Refusal::Signers { good: 1, needed: 2, bad: 0, unknown: 0 });
    assert_eq!(few.to_string(), "1 of the 2 signers needed have signed it");
    let strangers = signed(&[1, 8, 9]).verify(&trusted(), 2).unwrap_err();
    assert_eq!(strangers, Refusal::Signers { good: 1, needed: 2, bad: 0, unknown: 2 });
    assert!(signed(&[]).verify(&trusted(), 1).is_err());
    assert!(signed(&[]).verify(&trusted(), 0).is_err(), "nobody is never enough");
    assert!(signed(&[1]).verify(&[], 0).is_err());
}

#[test]
fn a_signer_counts_once() {
    let mut twice = signed(&[1]);
    twice.signatures.push(twice.signatures[0]);
    assert_eq!(twice.verify(&trusted(), 2), Err(Refusal::Signers { good: 1, needed: 2, bad: 0, unknown: 0 }));
    // The same key in the node's own list twice is one signer too.
    let doubled = [key(1).public(), key(1).public()];
    assert!(signed(&[1]).verify(&doubled, 2).is_err());
    // Signing again replaces.
    assert_eq!(signed(&[1, 1]).signatures.len(), 1);
}

#[test]
fn a_signature_belongs_to_its_text() {
    type Change = fn(&mut Manifest);
    let changes: &[Change] = &[
        |m| m.serial = 18,
        |m| m.branch = "beta".into(),
        |m| m.version = "0.2.1".into(),
        |m| m.spread_hours = 0,
        |m| m.images[0].size += 1,
        |m| m.images[0].sha256[31] ^= 1,
        |m| m.images[0].name.push('x'),
        |m| m.images[0].fits.push("armv7".into()),
        |m| drop(m.images.pop()),
    ];
    for change in changes {
        let mut manifest = signed(&[1, 2]);
        change(&mut manifest);
        assert_eq!(manifest.verify(&trusted(), 2), Err(Refusal::Signers { good: 0, needed: 2, bad: 2, unknown: 0 }));
    }
    // Somebody else's name on a good signature.
    let mut manifest = signed(&[1, 9]);
    manifest.signatures[1].0 = key(2).public();
    assert!(manifest.verify(&trusted(), 2).is_err());
}

#[test]
fn what_a_node_refuses() {
    let offer = offer();
    assert_eq!(offer.choose(Kind::Program, &NODE).unwrap().name, "meshwork-mips");
    assert_eq!(offer.choose(Kind::Firmware, &NODE).unwrap().name, "c7.bin");
    for known in [17, 18, u32::MAX] {
        let said = offer.choose(Kind::Program, &Running { serial: known, ..NODE }).unwrap_err();
        assert_eq!(said, Refusal::Serial { offered: 17, known });
    }
    let said = offer.choose(Kind::Program, &Running { branch: "beta", ..NODE }).unwrap_err();
    assert!(said.to_string().contains("branch stable"), "{said}");
    // The serials were lost: the version still holds.
    let said = offer.choose(Kind::Program, &Running { serial: 0, version: "0.2.1", ..NODE }).unwrap_err();
    assert!(matches!(said, Refusal::Downgrade { .. }), "{said}");
    assert!(offer.choose(Kind::Program, &Running { version: "0.2.0", ..NODE }).is_ok(), "built anew");
    let said = offer.choose(Kind::Program, &Running { cpu: "armv7", ..NODE }).unwrap_err();
    assert_eq!(said.to_string(), "it has no program for this CPU (armv7), only for: mips");
    let said = offer.choose(Kind::Firmware, &Running { board: "glinet,gl-b1300", ..NODE }).unwrap_err();
    assert!(said.to_string().contains("no firmware for this board (glinet,gl-b1300)"), "{said}");
    assert!(offer.choose(Kind::Firmware, &Running { board: "", ..NODE }).is_err());
    // A board is never taken for a CPU.
    assert!(offer.choose(Kind::Program, &Running { cpu: "tplink,archer-c7-v2", ..NODE }).is_err());
}

#[test]
fn versions() {
    for (a, b) in [
        ("0.1.0", "0.2.0"),
        ("0.9", "0.10"),
        ("1.2", "1.2.1"),
        ("1.2~rc1", "1.2"),
        ("0.1.0-r1", "0.1.0-r2"),
        ("1.09", "1.10"),
    ] {
        assert!(is_older(a, b), "{a} {b}");
        assert!(!is_older(b, a), "{b} {a}");
    }
    for v in ["0.1.0", "", "1.2~rc1", "007"] {
        assert!(!is_older(v, v));
    }
    assert!(!is_older("1.02", "1.2") && !is_older("1.2", "1.02"));
}

#[test]
fn whatever_is_missing_is_no_manifest() {
    let text = signed(&[1, 2]).to_text();
    assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), signed(&[1, 2]));
    let mut taken = 0;
    for end in 0..text.len() {
        // Cut at a line, it can still be read, with fewer images or signatures: then too few have signed it.
        if let Ok(cut) = Manifest::parse(&text.as_bytes()[..end]) {
            taken += 1;
            assert!(cut.verify(&trusted(), 2).is_err(), "cut at {end}");
        }
    }
    assert_eq!(taken, 4, "after spread, each image, and the first signature");
}

#[test]
fn one_spelling() {
    let good = signed(&[1]).to_text();
    for (from, to) in [
        ("serial 17", "serial 017"),
        ("serial 17", "serial +17"),
        ("serial 17", "serial 0"),
        ("serial 17", "serial 4294967296"),
        ("serial 17\n", "serial 17\r\n"),
        ("serial 17\n", "serial 17 \n"),
        ("serial 17\n", "serial  17\n"),
        ("serial 17\n", "serial 17\nserial 18\n"),
        ("serial 17\nbranch stable\n", "branch stable\nserial 17\n"),
        ("meshwork-upgrade 1", "meshwork-upgrade 2"),
        ("spread 24", "spread 673"),
        ("image program meshwork-mips", "image program ../meshwork-mips"),
        ("image program meshwork-mips", "image program .hidden"),
        ("image program meshwork-mips", "image kernel meshwork-mips"),
        (" mips\n", "\n"),
        (" 1198720 ", " 0 "),
        (" 1198720 ", " 268435457 "),
        ("signature ", "\nsignature "),
        ("signature ", "seal "),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        assert!(Manifest::parse(text.as_bytes()).is_err(), "{to:?} was taken");
    }
    let said = Manifest::parse(good.replacen("serial 17", "serial x", 1).as_bytes()).unwrap_err();
    assert_eq!(said.to_string(), "this is no whole manifest: line 2: the serial is a number above 0");
    assert!(Manifest::parse(good.to_uppercase().as_bytes()).is_err());
    assert!(Manifest::parse(&vec![b'\n'; MAX_BYTES + 1]).is_err());
    let line = format!("{}\n", good.lines().last().unwrap());
    let many = good.clone() + &line.repeat(MAX_SIGNATURES);
    assert!(Manifest::parse(many.as_bytes()).is_err(), "too many signatures");
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Manifest::parse(&bytes);
    }

    /// Whatever is done to a signed text, it is refused, or it is the same text.
    #[test]
    fn a_garbled_text_is_refused(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6)) {
        let good = signed(&[1, 2]);
        let text = good.to_text().into_bytes();
        let mut bytes = text.clone();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(manifest) = Manifest::parse(&bytes) {
            prop_assert_eq!(manifest.to_text().into_bytes(), bytes);
            if manifest.verify(&trusted(), 2).is_ok() {
                prop_assert_eq!(manifest.signed_text(), good.signed_text());
            }
        }
    }

    #[test]
    fn versions_are_ordered(a in "[0-9a-c.~-]{0,8}", b in "[0-9a-c.~-]{0,8}", c in "[0-9a-c.~-]{0,8}") {
        prop_assert!(!(is_older(&a, &b) && is_older(&b, &a)));
        if is_older(&a, &b) && is_older(&b, &c) {
            prop_assert!(is_older(&a, &c), "{} {} {}", a, b, c);
        }
    }
}
