//! A node: the real daemon as a process in its own namespace, with the interfaces it works on.

use super::medium::RadioId;
use super::namespace::Namespace;
use super::netlink::{Netlink, VethEnd};
use crate::sys;
use anyhow::{Context, Result};
use config::{Config, Wifi};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use packet::MacAddr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A node and what belongs to it.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// From 1; the low bytes of its addresses.
    number: u16,
    namespace: Namespace,
    netlink: Netlink,
    /// Its place on the air, where there is one.
    pub(crate) radio: Option<RadioId>,
    /// Hard interfaces.
    interfaces: Vec<Interface>,
    process: Option<Child>,
    /// How often the daemon was started.
    pub(crate) starts: u32,
    /// Bridge that joins the mesh interface with the client.
    bridge: Option<u32>,
    attached: bool,
    config: Config,
    files: Files,
}

#[derive(Debug)]
struct Interface {
    name: String,
    mac: MacAddr,
    wifi: bool,
}

impl Interface {
    fn end(&self) -> VethEnd<'_> {
        VethEnd { name: &self.name, mac: self.mac }
    }
}

#[derive(Debug)]
struct Files {
    config: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Node {
    /// A node without interfaces and without a running daemon. Its files are `dir/NAME.*`.
    ///
    /// # Errors
    /// Namespaces, sockets or files cannot be made.
    pub(crate) fn new(name: &str, place: usize, dir: &Path, base: &Config) -> Result<Self> {
        let number = u16::try_from(place + 1).context("too many nodes")?;
        let namespace = Namespace::new()?;
        let mut netlink = Netlink::open(&namespace).context("a netlink socket inside a namespace")?;
        // As on every machine: what listens on localhost is reached there.
        if let Some(lo) = netlink.index_of("lo")? {
            netlink.set_up(lo, true).context("setting a namespace's own interface up")?;
        }
        let files = Files {
            config: dir.join(format!("{name}.toml")),
            socket: dir.join(format!("{name}.sock")),
            log: dir.join(format!("{name}.log")),
        };
        let mut config = base.clone();
        config.mesh.name = MESH.into();
        config.mesh.mac = Some(mac(Kind::Mesh, number, 0));
        config.mesh.state_dir = Some(dir.join(format!("{name}.state")));
        // Names out of a topology file may be anything.
        config.mesh.node_name =
            Some(name.to_owned()).filter(|n| n.len() <= 24 && n.bytes().all(|b| b.is_ascii_graphic()));
        config.control.socket = Some(files.socket.clone());
        Ok(Self {
            name: name.into(),
            number,
            namespace,
            netlink,
            radio: None,
            interfaces: Vec::new(),
            process: None,
            starts: 0,
            bridge: None,
            attached: false,
            config,
            files,
        })
    }

    /// Gives the node its radio: a TAP device whose other side goes to the medium.
    ///
    /// # Errors
    /// The device cannot be made.
    pub(crate) fn add_tap(&mut self) -> Result<(MacAddr, OwnedFd)> {
        let mac = mac(Kind::Radio, self.number, 0);
        let tap = self
            .namespace
            .within(|| sys::tun::open_tap(RADIO, sys::tun::TapMode::default()))
            .context("a TAP device inside a namespace")?;
        let index = self.netlink.index_of(RADIO)?.context("the new TAP device is gone")?;
        self.netlink.set_mac(index, mac).context("setting the address of a TAP device")?;
        self.netlink.set_mtu(index, RADIO_MTU).context("setting the MTU of a TAP device")?;
        self.netlink.set_up(index, true).context("setting a TAP device up")?;
        self.interfaces.push(Interface { name: RADIO.into(), mac, wifi: true });
        Ok((mac, tap))
    }

    /// Gives a node that is joined by wires an interface that never goes down, so that it keeps
    /// its originator address whichever wire is cut. Nobody is at its other end.
    ///
    /// # Errors
    /// The kernel cannot or will not make it.
    pub(crate) fn add_home(&mut self) -> Result<()> {
        let home = Interface { name: "home".into(), mac: mac(Kind::Wire, self.number, 0), wifi: false };
        let nobody = VethEnd { name: "nobody", mac: mac(Kind::Wire, 0, self.number) };
        add_veth(&mut self.netlink, home.end(), nobody, &self.namespace)?;
        for name in ["home", "nobody"] {
            let index = self.netlink.index_of(name)?.context("the new veth device is gone")?;
            self.netlink.set_mtu(index, RADIO_MTU)?;
            self.netlink.set_up(index, true)?;
        }
        self.interfaces.push(home);
        Ok(())
    }

    /// Joins two nodes by a veth pair.
    ///
    /// # Errors
    /// The kernel cannot or will not make it.
    pub(crate) fn join(&mut self, other: &mut Self) -> Result<()> {
        let ours = Interface {
            name: format!("to{}", other.number),
            mac: mac(Kind::Wire, self.number, other.number),
            wifi: false,
        };
        let theirs = Interface {
            name: format!("to{}", self.number),
            mac: mac(Kind::Wire, other.number, self.number),
            wifi: false,
        };
        add_veth(&mut self.netlink, ours.end(), theirs.end(), &other.namespace)?;
        for (netlink, name) in [(&mut self.netlink, &ours.name), (&mut other.netlink, &theirs.name)] {
            let index = netlink.index_of(name)?.context("the new veth device is gone")?;
            netlink.set_mtu(index, RADIO_MTU)?;
            netlink.set_up(index, true)?;
        }
        self.interfaces.push(ours);
        other.interfaces.push(theirs);
        Ok(())
    }

    /// Switches this node's end of a veth link on or off.
    ///
    /// # Errors
    /// There is no such link.
    pub(crate) fn set_wire(&mut self, other: &Self, up: bool) -> Result<()> {
        let index = self.netlink.index_of(&format!("to{}", other.number))?.context("there is no such wire")?;
        self.netlink.set_up(index, up).context("switching a wire")
    }

    /// Puts a client behind the node: a veth pair into the client's namespace and a bridge that
    /// joins it with the mesh interface, once that is there (see [`Node::attach`]).
    ///
    /// # Errors
    /// The kernel cannot or will not make them.
    pub(crate) fn add_client(&mut self, client: &Namespace, client_mac: MacAddr) -> Result<()> {
        let ours = VethEnd { name: "client", mac: mac(Kind::Port, self.number, 0) };
        let theirs = VethEnd { name: CLIENT, mac: client_mac };
        add_veth(&mut self.netlink, ours, theirs, client)?;
        match self.netlink.add_bridge(BRIDGE) {
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                anyhow::bail!("this kernel has no bridge driver\nLoad it: modprobe bridge (CONFIG_BRIDGE)")
            }
            other => other.context("a bridge inside a namespace")?,
        }
        let bridge = self.netlink.index_of(BRIDGE)?.context("the new bridge is gone")?;
        let port = self.netlink.index_of("client")?.context("the new veth device is gone")?;
        self.netlink.enslave(port, bridge)?;
        self.netlink.set_up(port, true)?;
        self.netlink.set_up(bridge, true)?;
        self.bridge = Some(bridge);
        Ok(())
    }

    /// Starts the daemon, or starts it again if it ended.
    ///
    /// # Errors
    /// Its files cannot be written, or the process cannot be started.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.write_config()?;
        let log = File::options().create(true).append(true).open(&self.files.log).context("the node's log file")?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("meshwork").arg("run").arg("--config").arg(&self.files.config);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C in the lab's terminal is for the lab, which then ends its nodes in order.
        command.process_group(0);
        sys::lab::confine(&mut command, self.namespace.duplicate()?);
        self.process = Some(command.spawn().with_context(|| format!("starting the daemon of {}", self.name))?);
        self.starts += 1;
        self.attached = false;
        Ok(())
    }

    /// Lets a running daemon know of interfaces that came since its start.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub(crate) fn reload(&self) -> Result<()> {
        self.write_config()?;
        self.signal(Signal::SIGHUP);
        Ok(())
    }

    /// `kill -9`. Nothing happens to a node that does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only when the process is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Asks the daemon to end. Follow up with [`Node::ended`], then [`Node::kill`].
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.process.as_ref().and_then(|p| i32::try_from(p.id()).ok());
        if let Some(pid) = pid {
            // It was not waited for yet, so the number is still its own.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// How the daemon ended, if it did since the last call.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.try_wait().ok().flatten()?;
        self.process = None;
        Some(status)
    }

    /// Puts the mesh interface into the bridge if it is there and was not put yet.
    ///
    /// # Errors
    /// Those of netlink, other than that it is gone again.
    pub(crate) fn attach(&mut self) -> io::Result<()> {
        let Some(bridge) = self.bridge.filter(|_| !self.attached && self.process.is_some()) else { return Ok(()) };
        let Some(index) = self.netlink.index_of(MESH)? else { return Ok(()) };
        match self.netlink.enslave(index, bridge) {
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            other => other?,
        }
        self.netlink.set_up(index, true)?;
        self.attached = true;
        Ok(())
    }

    /// The daemon's control socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.files.socket
    }

    /// The last line of the daemon's log.
    pub(crate) fn last_words(&self) -> Option<String> {
        let log = fs::read(&self.files.log).ok()?;
        let text = String::from_utf8_lossy(&log);
        text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
    }

    /// The addresses of its hard interfaces; the first one is its originator address.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = MacAddr> {
        self.interfaces.iter().map(|interface| interface.mac)
    }

    /// The address of its hard interface towards another node.
    pub(crate) fn address_towards(&self, other: &Self) -> Option<MacAddr> {
        let wire = mac(Kind::Wire, self.number, other.number);
        self.addresses().find(|mac| self.radio.is_some() || *mac == wire)
    }

    /// The daemon runs.
    pub(crate) fn running(&self) -> bool {
        self.process.is_some()
    }

    /// Process id of the daemon.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    fn write_config(&self) -> Result<()> {
        let mut config = self.config.clone();
        config.links = self
            .interfaces
            .iter()
            .map(|interface| {
                let mut link = config::Link::new(&interface.name);
                link.wifi = if interface.wifi { Wifi::Yes } else { Wifi::No };
                link
            })
            .collect();
        let text = format!("# Written by meshwork lab for node {}.\n{config}", self.name);
        fs::write(&self.files.config, text).with_context(|| format!("writing {}", self.files.config.display()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn add_veth(netlink: &mut Netlink, end: VethEnd<'_>, peer: VethEnd<'_>, namespace: &Namespace) -> Result<()> {
    match netlink.add_veth(end, peer, namespace) {
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            anyhow::bail!("this kernel has no veth driver\nLoad it: modprobe veth (CONFIG_VETH)")
        }
        other => other.context("a veth pair between namespaces"),
    }
}

/// The address of client behind the node at this place.
pub(crate) fn client_mac(place: usize) -> MacAddr {
    mac(Kind::Client, u16::try_from(place + 1).unwrap_or(u16::MAX), 0)
}

#[derive(Clone, Copy)]
enum Kind {
    Radio = 1,
    Mesh = 2,
    Client = 3,
    Port = 4,
    Wire = 5,
}

/// A locally administered address that tells whose it is.
fn mac(kind: Kind, node: u16, other: u16) -> MacAddr {
    let ([a, b], [c, d]) = (node.to_be_bytes(), other.to_be_bytes());
    MacAddr([0x02, kind as u8, c, d, a, b])
}

/// Interface of the client, in its namespace.
pub(crate) const CLIENT: &str = "eth0";
const MESH: &str = "mesh0";
const BRIDGE: &str = "br0";
const RADIO: &str = "wlan0";
/// Room for the mesh header around a full Ethernet payload, as meshes set it up: 1500 + 14 + 32
/// and some. Radios carry up to 2304.
const RADIO_MTU: u32 = 1560;
