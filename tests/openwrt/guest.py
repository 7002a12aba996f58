"""Emulated machines that run a test image (tests/openwrt/image), and commands in them."""
import base64, mmap, os, shlex, socket, struct, subprocess, time

# Program, machine and memory in MiB. 64 is what the smallest routers have that are worth it; the kernels for Arm
# are made for larger machines.
QEMU = {
    'mips': ('qemu-system-mips', '-M malta -cpu 24Kc', 64, 'ttyS0'),
    'mipsel': ('qemu-system-mipsel', '-M malta -cpu 24Kc', 64, 'ttyS0'),
    'armv7': ('qemu-system-arm', '-M virt -cpu cortex-a7', 192, 'ttyAMA0'),
    'aarch64': ('qemu-system-aarch64', '-M virt -cpu cortex-a53', 192, 'ttyAMA0'),
    'x86_64': ('qemu-system-x86_64', '-M pc -cpu max', 256,
               # On a busy host, the kernel's check of its timers would fail, and it panics then.
               'ttyS0 no_timer_check tsc=reliable mitigations=off'),
}


class Failed(Exception):
    """A command in a machine ended with another status than 0."""


class Machine:
    """One emulated machine. `ports` are names of cables, and `end` says which end of them it has, a or b."""

    def __init__(self, name, target, image, work, ports, end, overlay=None, plugin=None):
        program, machine, memory, console = QEMU[target]
        self.name, self.console, self.counts = name, f'{work}/{name}.console', None
        initrd = f'{image}/initrd.gz'
        if overlay:
            # The kernel unpacks archives that follow each other over each other.
            packed = subprocess.run('find . | cpio -o -H newc --quiet -R 0:0 | gzip -1', shell=True, check=True,
                                    cwd=overlay, stdout=subprocess.PIPE).stdout
            both = f'{work}/{name}.initrd'
            with open(both, 'wb') as out, open(initrd, 'rb') as first:
                out.write(first.read() + packed)
            initrd = both
        control = f'{work}/{name}.sock'
        args = ['setpriv', '--pdeathsig', 'KILL', program, *machine.split(), '-m', str(memory), '-accel', 'tcg',
                '-display', 'none', '-monitor', 'none', '-no-reboot', '-nic', 'none',
                '-serial', f'file:{self.console}', '-kernel', f'{image}/vmlinuz', '-initrd', initrd,
                '-append', f'console={console} quiet panic=-1 net.ifnames=0',
                '-chardev', f'socket,id=c,path={control},server=on,wait=off',
                '-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=c,name=remote']
        for n, cable in enumerate(ports):
            here, there = self._port(work, cable, end), self._port(work, cable, 'a' if end == 'b' else 'b')
            # UDP loses what the other side is too slow for, as a cable does; a unix socket would block the sender.
            args += ['-netdev', f'dgram,id=n{n},local.type=inet,local.host=127.0.0.1,local.port={here},'
                                f'remote.type=inet,remote.host=127.0.0.1,remote.port={there}',
                     '-device', f'virtio-net-pci,netdev=n{n},romfile=,mac=52:54:00:{_byte(name)}:00:{n:02x}']
        if plugin:
            path = f'{work}/{name}.counts'
            with open(path, 'wb') as file:
                file.write(bytes(16))
            with open(path, 'rb') as file:
                self.counts = mmap.mmap(file.fileno(), 16, access=mmap.ACCESS_READ)
            args += ['-plugin', f'{plugin},out={path}']
        with open(f'{work}/{name}.qemu', 'wb') as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.log = f'{work}/{name}.qemu'
        self.socket, limit = socket.socket(socket.AF_UNIX), time.monotonic() + 20
        while True:
            try:
                self.socket.connect(control)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise Failed(f'{name} does not start: {open(self.log).read()}') from None
                time.sleep(0.05)
        self.input = self.socket.makefile('rb')

    @staticmethod
    def _port(work, cable, end):
        """The UDP port of this end of a cable; a free one the first time."""
        path = f'{work}/{cable}.{end}'
        if not os.path.exists(path):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free, open(path, 'w') as out:
                free.bind(('127.0.0.1', 0))
                out.write(str(free.getsockname()[1]))
        with open(path) as file:
            return file.read()

    def try_run(self, script, limit=180):
        """Runs a script in the machine; its status and what it said. The limit is for one that hangs: on a busy host
        all takes its time."""
        self.socket.settimeout(limit)
        try:
            self.socket.sendall(base64.b64encode(script.encode()) + b'\n')
            line = self.input.readline()
        except TimeoutError:
            raise Failed(f'{self.name}: no answer within {limit} s to: {script}\n{self.last_words()}') from None
        except OSError:
            # Gone, or nothing can be heard of it after one that did not answer in time.
            line = b''
        if not line:
            raise Failed(f'{self.name} is gone:\n{self.last_words()}')
        said, status = line.decode().rsplit(' ', 1)
        return int(status), base64.b64decode(said).decode(errors='replace')

    def run(self, script, limit=180):
        """The same, for scripts that have to succeed."""
        status, said = self.try_run(script, limit)
        if status:
            raise Failed(f'{self.name}: status {status} of: {script}\n{said}')
        return said.rstrip('\n')

    def until(self, condition, limit, pause=0.2):
        """Waits in the machine until a condition holds; seconds of the machine's clock, None when it did not."""
        script = (f'end=$(($(cut -d. -f1 /proc/uptime) + {limit})); read a _ < /proc/uptime\n'
                  f'while :; do if {{ {condition}; }} > /dev/null 2>&1; then read b _ < /proc/uptime; echo "$a $b"; exit; fi\n'
                  f'[ $(cut -d. -f1 /proc/uptime) -lt $end ] || exit 1; sleep {pause}; done > /tmp/until\n')
        status, _ = self.try_run(script, limit * 3 + 60)
        if status:
            return None
        a, b = map(float, self.run('cat /tmp/until').split())
        return b - a

    def put(self, path, content):
        """Writes a file in the machine."""
        self.run(f'printf %s {shlex.quote(content)} > {path}')

    def instructions(self):
        """Instructions executed so far: of programs, of the kernel. Needs a plugin."""
        return struct.unpack('=QQ', self.counts[:16])

    def last_words(self):
        return ''.join(open(f, errors='replace').read()[-1500:] for f in (self.console, self.log))

    def stop(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


def _byte(name):
    return f'{sum(name.encode()) & 0xff:02x}'
