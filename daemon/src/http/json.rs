//! Answers in JSON: what the control socket says, under the same keys, as far as the asker may see it.

use super::privacy;
use super::site::View;
use crate::control::json::{Value, write};
use crate::control::protocol::{ConfigView, FORMAT, Mac};
use crate::control::view;
use crate::run::NodeSnapshot;
use serde_json::json;

/// An object in the making.
pub(super) struct Json(Vec<u8>);

/// What cannot be written is a fault of ours; the answer is 503 then.
pub(super) type Made = serde_json::Result<Vec<u8>>;

impl Json {
    /// An empty object.
    pub(super) fn start() -> Self {
        Self(Vec::with_capacity(1024))
    }

    /// An object with what every answer of the control socket begins with.
    pub(super) fn answer(v: &View<'_>) -> Self {
        Self::answer_of(v.s)
    }

    /// The same where a view is not needed.
    pub(super) fn answer_of(s: &NodeSnapshot) -> Self {
        let mut json = Self::start();
        let mut format = FORMAT;
        json.field("format", &mut format);
        json.field("node", &mut view::node(s));
        json
    }

    pub(super) fn field(&mut self, key: &str, value: &mut dyn Value) {
        self.key(key);
        write(value, &mut self.0);
    }

    pub(super) fn list<T: Value>(&mut self, key: &str, items: impl Iterator<Item = T>) {
        self.key(key);
        self.0.push(b'[');
        for (i, mut item) in items.enumerate() {
            if i > 0 {
                self.0.push(b',');
            }
            write(&mut item, &mut self.0);
        }
        self.0.push(b']');
    }

    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    pub(super) fn close(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}

/// The node on one page. Where its configuration lies and what is wrong in it is its owner's business.
pub(super) fn status(v: &View<'_>) -> Made {
    let mut status = view::status(v.s, &v.about.setup, v.about.config.clone());
    if !v.full {
        status.config = ConfigView::default();
        status.alarms = status.alarms.into_iter().filter_map(privacy::public).collect();
        status.interfaces = status.interfaces.into_iter().map(privacy::interface).collect();
        status.line = status.line.map(privacy::line);
        status.statistics = privacy::counters(status.statistics, &v.s.mesh_name);
    }
    let mut json = Json::answer(v);
    json.field("status", &mut status);
    Ok(json.close())
}

/// Hard interfaces.
pub(super) fn links(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    let all = view::interfaces(v.s, &v.about.setup);
    json.list("interfaces", all.map(|i| if v.full { i } else { privacy::interface(i) }));
    Ok(json.close())
}

/// Who is heard directly.
pub(super) fn neighbors(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    json.list("neighbors", view::neighbors(v.s));
    Ok(json.close())
}

/// Every way to every originator.
pub(super) fn originators(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    json.list("originators", view::originators(v.s));
    Ok(json.close())
}

/// How many clients there are; who they are for those who may know.
pub(super) fn clients(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    let global = v.s.mesh.global_clients.iter().filter(|c| c.best).count();
    json.field("count", &mut json!({ "local": v.s.mesh.local_clients.len(), "global": global }));
    let nodes = v.s.mesh.originators.iter().filter(|o| o.clients > 0);
    json.list("nodes", nodes.map(|o| json!({ "orig_address": Mac(o.addr), "clients": o.clients })));
    if v.full {
        json.list("local_clients", view::local_clients(v.s));
        json.list("global_clients", view::global_clients(v.s));
    }
    Ok(json.close())
}

/// Who offers Internet.
pub(super) fn gateways(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    json.list("gateways", view::gateways(v.s));
    if let Some(mut line) = view::line(v.s).map(|l| if v.full { l } else { privacy::line(l) }) {
        json.field("line", &mut line);
    }
    Ok(json.close())
}

/// Counters; those of the owner for those who may know.
pub(super) fn statistics(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    let all = view::statistics(v.s);
    json.field("statistics", &mut if v.full { all } else { privacy::counters(all, &v.s.mesh_name) });
    Ok(json.close())
}

/// What this node gives and gets; with whom for those who may know.
pub(super) fn share(v: &View<'_>) -> Made {
    let mut json = Json::answer(v);
    json.field("share", &mut view::share(v.s, v.full));
    Ok(json.close())
}
