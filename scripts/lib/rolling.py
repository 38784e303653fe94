"""Two boards behind HAProxy, restarted in turn under load. Called by scripts/rolling, which starts what they stand on."""

import collections, http.client, json, os, random, shutil, signal, socket, struct, subprocess, sys, threading, time, zlib

PROGRAM, FOLDER, ROUNDS, CLIENTS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
DRAIN = 5  # seconds; HAProxy looks each second, and believes the second no
PASSWORD = "correct horse battery"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PROXY, PORTS = free_port(), [free_port(), free_port()]


class Client:
    """A client who keeps his connection."""

    def __init__(self, port):
        self.port, self.connection, self.headers = port, None, {}

    def ask(self, method, path, body=None, content_type="application/json"):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            self.connection.request(method, path, body, {**self.headers, "Content-Type": content_type})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            raise

    def log_in(self):
        account = {"email": "ann@example.com", "password": PASSWORD, "nickname": "ann"}
        self.ask("POST", "/api/auth/signup", json.dumps(account))
        del account["nickname"]
        token = json.loads(self.ask("POST", "/api/auth/login", json.dumps(account))[1])["access_token"]
        self.headers["Authorization"] = "Bearer " + token


def picture(width, height, seed):
    chance = random.Random(seed)
    rows = b"".join(b"\0" + chance.randbytes(3 * width) for _ in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def form(fields, picture=None):
    part = lambda head, data: b"--X\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + data + b"\r\n"
    body = b"".join(part(f'name="{name}"'.encode(), value.encode()) for name, value in fields.items())
    if picture:
        body += part(b'name="images"; filename="a.png"', picture)
    return body + b"--X--\r\n"


class Board:
    def __init__(self, index):
        self.data, self.port, self.process = os.path.join(FOLDER, f"board{index}"), PORTS[index], None
        os.mkdir(self.data, 0o700)
        self.log = open(os.path.join(FOLDER, f"log{index}"), "wb")

    def start(self):
        settings = {
            "MADANG_LIMITS": "off", "MADANG_LOG": "error", "MADANG_DRAIN_DELAY": str(DRAIN),
            "MADANG_PUBLIC_URL": f"http://127.0.0.1:{PROXY}", "MADANG_TRUSTED_PROXIES": "127.0.0.1",
        }
        arguments = [PROGRAM, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        began = time.monotonic()
        self.process = subprocess.Popen(
            arguments, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=self.log)
        while True:
            try:
                if Client(self.port).ask("GET", "/readyz")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            assert self.process.poll() is None, "the board ended: " + open(self.log.name).read()
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30 + DRAIN) == 0, "it ends with 0"


def use(number, seed, stop, answers, wrong, acknowledged):
    chance, client, count = random.Random(seed + number), Client(PROXY), 0
    client.log_in()
    while not stop.is_set():
        count += 1
        kind = chance.choices(["list", "post", "upload"], [70, 25, 5])[0]
        try:
            if kind == "list":
                status, body = client.ask("GET", "/api/feed/list")
            else:
                image = picture(700, 40, count) if kind == "upload" else None
                fields = {"title": kind, "content": f"{number} {count}"}
                status, body = client.ask(
                    "POST", "/api/feed/create", form(fields, image), "multipart/form-data; boundary=X")
                if status == 200:
                    acknowledged.append((json.loads(body)["id"], fields["content"]))
            answers[kind, status] += 1
            if status != 200:
                wrong.append((kind, status, body[:200]))
        except (OSError, http.client.HTTPException) as e:
            wrong.append((kind, repr(e)))


def main():
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    boards = [Board(0), Board(1)]
    starts = [boards[0].start()]
    shutil.copy2(os.path.join(boards[0].data, "key"), boards[1].data)
    starts.append(boards[1].start())
    config = open("deploy/haproxy.cfg").read().replace("bind :80", f"bind 127.0.0.1:{PROXY}")
    for address, port in zip(["10.0.0.11:8000", "10.0.0.12:8000"], PORTS):
        config = config.replace(address, f"127.0.0.1:{port}")
    path = os.path.join(FOLDER, "haproxy.cfg")
    open(path, "w").write(config)
    proxy = subprocess.Popen(["haproxy", "-q", "-f", path], stderr=subprocess.DEVNULL)
    processes = [proxy]
    try:
        time.sleep(2)
        stop, answers, wrong, acknowledged = threading.Event(), collections.Counter(), [], []
        clients = [
            threading.Thread(target=use, args=(number, seed, stop, answers, wrong, acknowledged))
            for number in range(CLIENTS)
        ]
        began = time.monotonic()
        for client in clients:
            client.start()
        for _ in range(ROUNDS):
            for board in boards:
                board.stop()
                starts.append(board.start())
                time.sleep(3)  # until the proxy sends it something again
        stop.set()
        for client in clients:
            client.join()
        seconds, reader, lost = time.monotonic() - began, Client(PROXY), []
        for id, content in acknowledged:
            status, body = reader.ask("GET", f"/api/feed/read/{id}")
            if status != 200 or json.loads(body)["content"] != content:
                lost.append(id)
        asked = sum(answers.values())
        print(f"{2 * ROUNDS} restarts in {seconds:.0f} s; start to ready {max(starts) * 1000:.0f} ms at most")
        print(f"{asked} requests, {asked / seconds:.0f} a second: " + ", ".join(f"{k} {s}: {n}" for (k, s), n in sorted(answers.items())))
        print(f"{len(wrong)} failed {wrong[:5]}; {len(acknowledged)} posts acknowledged, {len(lost)} lost {lost[:5]}")
        check = subprocess.run([PROGRAM, "check", "--data", boards[0].data], capture_output=True, text=True)
        print("check:", check.stdout.strip() or check.stderr.strip())
        return 1 if wrong or lost or check.returncode else 0
    finally:
        for process in processes + [board.process for board in boards if board.process]:
            process.kill()


sys.exit(main())
