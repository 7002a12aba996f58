//! "Did you mean": the nearest of a few known words.

/// The known word that `word` most likely was meant to be, if one is near enough: one third of
/// its letters may differ, swapped neighbours count once.
///
/// Cost: length of `word` times the letters of all known words.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(d, _)| d <= limit)
        .min_by_key(|&(d, _)| d)
        .map(|(_, candidate)| candidate)
}

/// Edits that turn `a` into `b`: insert, delete, replace, swap two neighbours. Case and the
/// difference between `-` and `_` do not count.
fn distance(a: &str, b: &str) -> usize {
    let fold =
        |s: &str| -> Vec<char> { s.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect() };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &cb) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(ca != cb)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && ca == b[j - 1] && a[i - 1] == cb {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_only() {
        let known = ["hop_penalty", "orig_interval", "name", "mac", "mtu"];
        assert_eq!(closest("hop_penality", known), Some("hop_penalty"));
        assert_eq!(closest("hop-penalty", known), Some("hop_penalty"));
        assert_eq!(closest("nmae", known), Some("name"));
        assert_eq!(closest("MTU", known), Some("mtu"));
        assert_eq!(closest("gateway", known), None);
        assert_eq!(closest("", known), None);
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, d) in [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("status", "staus", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }
}
