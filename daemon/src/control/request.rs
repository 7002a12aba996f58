//! The JSON form of requests.

use super::json::{self, Value, unfit};
use super::protocol::{Ask, FORMAT, Mac, Request};
use serde_json::Value as Tree;

/// Asks that are a word.
const WORDS: [(&str, Ask); 13] = [
    ("status", Ask::Status),
    ("mesh", Ask::Mesh),
    ("interfaces", Ask::Interfaces),
    ("neighbors", Ask::Neighbors),
    ("originators", Ask::Originators),
    ("clients", Ask::Clients),
    ("dat", Ask::Dat),
    ("bla", Ask::Bla),
    ("gateways", Ask::Gateways),
    ("multicast", Ask::Multicast),
    ("statistics", Ask::Statistics),
    ("share", Ask::Share),
    ("events", Ask::Events),
];

/// Asks that are an object with a name of its own, around what belongs to them.
const OBJECTS: [&str; 4] = ["translate", "echo", "throughput", "history"];

/// Why a line is no request.
#[derive(Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// It is of another version; this one.
    Format(u32),
    /// What is wrong.
    Text(String),
}

impl Request {
    /// As one line of JSON, without its end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut line = format!("{{\"format\":{},", self.format).into_bytes();
        if self.id != 0 {
            line.extend_from_slice(format!("\"id\":{},", self.id).as_bytes());
        }
        line.extend_from_slice(b"\"ask\":");
        let mut name = "";
        let mut fields: Vec<(&str, Box<dyn Value>)> = Vec::new();
        match &self.ask {
            Ask::Translate { address } => {
                name = "translate";
                fields.push(("address", Box::new(*address)));
            }
            Ask::Echo { address, ttl, seqno, record_route, timeout_msecs } => {
                name = "echo";
                fields.push(("address", Box::new(*address)));
                fields.push(("ttl", Box::new(*ttl)));
                fields.push(("seqno", Box::new(*seqno)));
                fields.push(("record_route", Box::new(*record_route)));
                fields.push(("timeout_msecs", Box::new(*timeout_msecs)));
            }
            Ask::Throughput { address, test_msecs } => {
                name = "throughput";
                fields.push(("address", Box::new(*address)));
                fields.push(("test_msecs", Box::new(*test_msecs)));
            }
            Ask::History { of, scale } => {
                name = "history";
                if let Some(of) = of {
                    fields.push(("of", Box::new(*of)));
                }
                fields.push(("scale", Box::new(scale.clone())));
            }
            word => {
                let word = WORDS.iter().find(|(_, ask)| ask == word).map_or("", |(word, _)| word);
                json::write_text(word, &mut line);
            }
        }
        if !fields.is_empty() {
            line.extend_from_slice(format!("{{\"{name}\":").as_bytes());
            for (i, (name, mut value)) in fields.into_iter().enumerate() {
                line.push(if i == 0 { b'{' } else { b',' });
                json::write_text(name, &mut line);
                line.push(b':');
                json::write(&mut *value, &mut line);
            }
            line.extend_from_slice(b"}}");
        }
        line.push(b'}');
        line
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it; the number of another version says more than the rest, and comes first.
    pub fn from_json(line: &[u8]) -> Result<Self, BadRequest> {
        let tree: Tree = serde_json::from_slice(line).map_err(|e| BadRequest::Text(e.to_string()))?;
        let mut request = Self { format: 0, id: 0, ask: Ask::Status };
        let read = need(&tree, "format", &mut request.format);
        if read.is_ok() && request.format != FORMAT && ask(&tree).is_err() {
            return Err(BadRequest::Format(request.format));
        }
        read.and_then(|()| optional(&tree, "id", &mut request.id)).map_err(BadRequest::Text)?;
        request.ask = ask(&tree).map_err(BadRequest::Text)?;
        Ok(request)
    }
}

fn ask(request: &Tree) -> Result<Ask, String> {
    let asked = request.get("ask").ok_or("missing field `ask`")?;
    let (name, of) = match asked {
        Tree::String(word) => (word, None),
        Tree::Object(map) if map.len() == 1 => {
            map.iter().next().map(|(k, v)| (k, Some(v))).ok_or("nothing is asked")?
        }
        _ => return Err(unfit(asked, "a word, or an object with one key")),
    };
    let mut address = Mac::blank();
    match (name.as_str(), of) {
        (word, None) if WORDS.iter().any(|(known, _)| *known == word) => {
            WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, ask)| ask).ok_or_else(String::new)
        }
        ("translate", Some(of)) => {
            need(of, "address", &mut address)?;
            Ok(Ask::Translate { address })
        }
        ("echo", Some(of)) => {
            let (mut ttl, mut seqno, mut record_route, mut timeout_msecs) = (packet::consts::TTL, 0, false, 0);
            need(of, "address", &mut address)?;
            optional(of, "ttl", &mut ttl)?;
            need(of, "seqno", &mut seqno)?;
            optional(of, "record_route", &mut record_route)?;
            need(of, "timeout_msecs", &mut timeout_msecs)?;
            Ok(Ask::Echo { address, ttl, seqno, record_route, timeout_msecs })
        }
        ("throughput", Some(of)) => {
            let mut test_msecs = 0;
            need(of, "address", &mut address)?;
            need(of, "test_msecs", &mut test_msecs)?;
            Ok(Ask::Throughput { address, test_msecs })
        }
        ("history", Some(of)) => {
            let (mut about, mut scale) = (None::<Mac>, "hour".to_owned());
            optional(of, "of", &mut about)?;
            optional(of, "scale", &mut scale)?;
            Ok(Ask::History { of: about, scale })
        }
        (name, _) if OBJECTS.contains(&name) => Err(format!("`{name}` is an object with what belongs to it")),
        (name, _) => {
            let known = WORDS.iter().map(|(word, _)| *word).chain(OBJECTS);
            let known: Vec<String> = known.map(|word| format!("`{word}`")).collect();
            Err(format!("unknown variant `{name}`, expected one of {}", known.join(", ")))
        }
    }
}

fn need(of: &Tree, name: &str, value: &mut dyn Value) -> Result<(), String> {
    if of.get(name).is_none() {
        return Err(format!("missing field `{name}`"));
    }
    optional(of, name, value)
}

fn optional(of: &Tree, name: &str, value: &mut dyn Value) -> Result<(), String> {
    of.get(name).map_or(Ok(()), |part| json::read(value, part).map_err(|e| format!("{name}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(ask: Ask) {
        let request = Request { format: FORMAT, id: 7, ask };
        assert_eq!(Request::from_json(&request.to_json()), Ok(request));
    }

    #[test]
    fn requests_come_back_as_they_were() {
        for (_, ask) in WORDS {
            back(ask);
        }
        let address = Mac(packet::MacAddr([2, 0, 0, 0, 0, 9]));
        back(Ask::Translate { address });
        back(Ask::Echo { address, ttl: 3, seqno: 65535, record_route: true, timeout_msecs: 1 << 40 });
        back(Ask::Throughput { address, test_msecs: 5 });
        back(Ask::History { of: Some(address), scale: "month".to_owned() });
        back(Ask::History { of: None, scale: "hour".to_owned() });
    }

    #[test]
    fn what_may_be_missing_is_what_is_usual() {
        let line = br#"{"format":1,"ask":{"echo":{"address":"02:00:00:00:00:09","seqno":1,"timeout_msecs":2}}}"#;
        let Ok(Request { id: 0, ask: Ask::Echo { ttl, record_route: false, .. }, .. }) = Request::from_json(line)
        else {
            panic!("not an echo");
        };
        assert_eq!(ttl, packet::consts::TTL);
        let wrong = |line: &str| match Request::from_json(line.as_bytes()) {
            Err(BadRequest::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(r#"{"format":1}"#), "missing field `ask`");
        assert_eq!(wrong(r#"{"ask":"mesh"}"#), "missing field `format`");
        assert_eq!(wrong(r#"{"format":1,"ask":{"throughput":{"test_msecs":1}}}"#), "missing field `address`");
        assert!(wrong(r#"{"format":1,"id":-1,"ask":"mesh"}"#).starts_with("id: found -1, allowed: "));
        assert!(wrong(r#"{"format":1,"ask":"echo"}"#).contains("object"));
        assert!(wrong(r#"{"format":1,"ask":{"status":{}}}"#).contains("unknown variant `status`"));
    }
}
