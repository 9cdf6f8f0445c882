"""URLs that must reach nothing, each with the reason for which it is refused. `P` is the port of a listener.

The listener takes connections on every address of the machine, so whatever is another way to write one of its
addresses would be counted there.
"""
# ruff: noqa: RUF001 - letters that look like others are the point

NAMES: dict[str, list[str]] = {
    "public-and-private.example": ["93.184.216.34", "127.0.0.1"],
    "private-and-public.example": ["127.0.0.1", "93.184.216.34"],
    "six-and-four.example": ["2606:4700::1111", "10.0.0.1"],
    "loopback.example": ["127.0.0.1"],
    "loopback-six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "sixtofour.example": ["2002:7f00:1::"],
    "unspecified.example": ["0.0.0.0"],
    "ten.example": ["10.1.2.3"],
    "shared.example": ["100.64.0.1"],
    "link.example": ["169.254.1.1"],
    "metadata.example": ["169.254.169.254"],
    "wireserver.example": ["168.63.129.16"],
    "unique-local.example": ["fd12:3456::1"],
    "zone.example": ["fe80::1%1"],
    "multicast.example": ["224.0.0.1"],
    "many.example": [*(f"93.184.216.{last}" for last in range(20)), "127.0.0.1"],
}
"""What the names of the corpus resolve to; whatever else is asked for is 127.0.0.1."""

_NUMBERS = {
    "host": [
        "2130706433", "0x7f000001", "0X7F000001", "017700000001", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1",
        "0177.0.0.01", "127.1", "127.0.1", "127.0x1", "0x7f.1", "0177.1", "127.0.0.0x1", "127.0.0.01", "127.00.0.1",
        "127.0.0.001", "00000127.0.0.1", "0x7f.0.1", "2130706433.", "127.0.0.1.", "127.1.", "0", "0x0", "00", "0.0",
        "0.0.0", "127.0.0.256", "127.0.0.1.1", "1.127.0.0.1", "256.0.0.1", "4294967296", "127.0.0", "127..1",
        "0x7f000001.", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "0xA9.0xFE.0xA9.0xFE",
        "169.0xfe.169.254", "10.1", "192.168.257", "0x", "127.0.0.0x", "3232235777", "08",
    ],
    "private": [
        "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.127.127.127", "10.0.0.1", "10.255.255.255", "172.16.0.1",
        "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.2.1",
        "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "192.88.99.1", "240.0.0.1", "250.1.2.3",
    ],
    "never": [
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.169.253", "169.254.170.2", "169.254.170.23", "169.254.0.1",
        "168.63.129.16", "100.100.100.200", "192.0.0.192", "224.0.0.1", "239.255.255.250", "255.255.255.255",
    ],
}  # fmt: skip
_SIX = {
    "private": [
        "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
        "[::ffff:10.0.0.1]", "[::ffff:192.168.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]",
        "[2002:a00:1::1]", "[2001:10::1]", "[2001:20::1]", "[2001:db8::1]",
        "[3fff::1]", "[fc00::1]", "[fd00::1]", "[fd12:3456:789a::1]", "[fec0::1]", "[100::1]", "[4000::1]",
        "[5f00::1]", "[::8.8.8.8]", "[2002:808:808::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[2606:4700::5efe:127.0.0.1]", "[2606:4700::200:5efe:10.0.0.1]", "[1::1]",
    ],
    "never": [
        "[::]", "[0:0:0:0:0:0:0:0]", "[::ffff:0.0.0.0]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]", "[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]",
        "[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::1]", "[fe80::a9fe:a9fe]", "[febf::1]", "[ff02::1]", "[ff05::2]",
        "[2606:4700::5efe:169.254.169.254]", "[::ffff:168.63.129.16]", "[2001:0:a9fe:a9fe::]",
        "[2001:0:7f00:1::]", "[2001::1]",
    ],
    "host": [
        "[::1%lo]", "[::1%25lo]", "[::1%251]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[::1]x", "x[::1]", "[::1",
        "::1]", "[]", "[127.0.0.1]", "[localhost]", "[::1.]", "[::g]", "[1:2:3]", "[[::1]]", "[v1.127.0.0.1]",
        "[::ffff:0x7f.1]", "[::ffff:127.1]", "[:::1]", "[::1]]",
    ],
}  # fmt: skip
_NAMED = {
    "name": [
        "localhost", "LOCALHOST", "LocalHost", "a.localhost", "sub.a.localhost", "localhost.localdomain", "router",
        "redis", "kubernetes", "printer.local", "app.internal", "db.corp", "nas.lan", "wiki.intranet", "x.home",
        "gw.home.arpa", "1.0.0.127.in-addr.arpa", "host.docker.internal", "kubernetes.default.svc",
        "vault.service.consul",        "a.test", "a.invalid", "ip6-localhost", "a-b", "x.onion", "1e3",
    ],
    "never": [
        "metadata", "METADATA", "metadata.google.internal", "Metadata.Google.Internal", "metadata.goog",
        "instance-data", "instance-data.ec2.internal", "metadata.azure.internal", "metadata.tencentyun.com",
        "metadata.packet.net",
    ],
    "host": [
        "localhost.", "loopback.example.", "metadata.google.internal.", "loopback..example", ".loopback.example",
        "-a.example", "a-.example", "loopback.example%00", "loopback%2eexample", "%6c%6f%63%61%6c%68%6f%73%74",
        "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "loca%6chost", "a*b.example", "a,b.example", "a;b.example", "a!b",
        "a(b)", "$(x).example", "a&b", "a=b", "a+b", "~a", "a'b", "%", "a" * 64 + ".example", "a." * 130 + "example",
        # Unicode: full stops, digits, letters that IDNA maps to ASCII, soft hyphens, bidirectional marks.
        "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ʟocalhost",
        "ｌocalhost",
        "localhoſt",
        "٠.٠.٠.٠", "bücher.example", "𝟏𝟐𝟕.0.0.1", "lo𝐜alhost", "xn--.ß", "①27.0.0.1", "loc\u0430lhost",
        "127.0.0.1\u0307", "loopbac\u212a.example", "[::①]", "example\u2024com", "a℀b.example",
    ],
    "url": ["local\u200bhost", "local\u2060host", "a\u202eb.example", "a\u3000b", "a\u00a0b"],
}  # fmt: skip
_RESOLVED = {
    "private": [
        "public-and-private.example", "private-and-public.example", "six-and-four.example", "loopback.example",
        "LOOPBACK.Example", "loopback-six.example", "mapped.example", "nat64.example", "sixtofour.example",
        "ten.example", "shared.example", "unique-local.example", "many.example", "anything.example",
        "127.0.0.1.nip.io", "7f000001.rbndr.us", "xn--loopback-9za.example", "a_b.example", "localtest.me",
        "0x7f.example", "127.0.0.1.example",
    ],
    "never": [
        "unspecified.example", "link.example", "metadata.example", "wireserver.example", "zone.example",
        "multicast.example",
    ],
}  # fmt: skip
_WHOLE = [
    # Who is before the `@`, and where the host ends.
    ("http://user@127.0.0.1:P/", "user"),
    ("http://user:password@127.0.0.1:P/", "user"),
    ("http://93.184.216.34@127.0.0.1:P/", "user"),
    ("http://127.0.0.1:P@93.184.216.34/", "user"),
    ("http://93.184.216.34:80@127.0.0.1:P/", "user"),
    ("http://@127.0.0.1:P/", "user"),
    ("http://:@127.0.0.1:P/", "user"),
    ("http://a@b@127.0.0.1:P/", "user"),
    ("http://93.184.216.34%40127.0.0.1:P/", "host"),
    ("http://93.184.216.34\\@127.0.0.1:P/", "url"),
    ("http://93.184.216.34#@127.0.0.1:P/\\", "url"),
    ("http://127.0.0.1:P\\.example.com/", "url"),
    ("http:\\\\127.0.0.1:P/", "url"),
    ("http:/\\127.0.0.1:P/", "url"),
    ("http://\\127.0.0.1:P/", "url"),
    ("http:///127.0.0.1:P/", "url"),
    ("http:////127.0.0.1:P/", "url"),
    ("http:/127.0.0.1:P/", "url"),
    ("http:127.0.0.1:P/", "url"),
    ("//127.0.0.1:P/", "url"),
    ("127.0.0.1:P/", "url"),
    ("/", "url"),
    ("", "url"),
    ("http://", "url"),
    ("http://?x", "url"),
    ("http://#x", "url"),
    ("http://:P/", "host"),
    # White space and control characters, which readers drop, keep or end at.
    (" http://127.0.0.1:P/", "url"),
    ("http://127.0.0.1:P/ ", "url"),
    ("\thttp://127.0.0.1:P/", "url"),
    ("h\nttp://127.0.0.1:P/", "url"),
    ("http\t://127.0.0.1:P/", "url"),
    ("http:/\n/127.0.0.1:P/", "url"),
    ("http://127.0.0.1\t:P/", "url"),
    ("http://127.0.0.1\n:P/", "url"),
    ("http://127.0.0.1\r\nhost: x:P/", "url"),
    ("http://127.0.0.1\x00:P/", "url"),
    ("http://127.0.0.1 :P/", "url"),
    ("http:// 127.0.0.1:P/", "url"),
    ("http://127.0.0.1:P/a b", "url"),
    ("http://127.0.0.1:P/a\r\nx: y", "url"),
    ("http://127.0.0.1:P/\x7f", "url"),
    ("http://127.0.0.1:P/%zz", "url"),
    ("http://127.0.0.1:P/%", "url"),
    ("http://127.0.0.1:P/" + "a" * 9_000, "url"),
    # Schemes.
    ("file:///etc/passwd", "scheme"),
    ("file://127.0.0.1:P/etc/passwd", "scheme"),
    ("ftp://127.0.0.1:P/", "scheme"),
    ("gopher://127.0.0.1:P/_GET", "scheme"),
    ("dict://127.0.0.1:P/x", "scheme"),
    ("ldap://127.0.0.1:P/", "scheme"),
    ("ws://127.0.0.1:P/", "scheme"),
    ("unix:/var/run/docker.sock", "scheme"),
    ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", "scheme"),
    ("jar:http://127.0.0.1:P/x!/", "scheme"),
    ("data:text/plain,x", "scheme"),
    ("url:http://127.0.0.1:P/", "scheme"),
    ("view-source:http://127.0.0.1:P/", "scheme"),
    ("javascript://127.0.0.1:P/", "scheme"),
    ("hTTps+x://127.0.0.1:P/", "scheme"),
    ("HTTP://127.0.0.1:P/", "private"),
    ("hTtP://127.0.0.1:P/", "private"),
    # Ports.
    ("http://127.0.0.1:0P/", "port"),
    ("http://127.0.0.1:+P/", "port"),
    ("http://127.0.0.1:-1/", "port"),
    ("http://127.0.0.1:0/", "port"),
    ("http://127.0.0.1:/", "port"),
    ("http://127.0.0.1:65536/", "port"),
    ("http://127.0.0.1:6553600/", "port"),
    ("http://127.0.0.1:0x50/", "port"),
    ("http://127.0.0.1:8e1/", "port"),
    ("http://127.0.0.1:http/", "port"),
    ("http://127.0.0.1:P:80/", "host"),
    ("http://127.0.0.1:٨٠/", "port"),
    *((f"http://93.184.216.34:{port}/", "port") for port in (22, 25, 53, 110, 143, 389, 465, 587, 993, 2049, 6000)),
    # What stands behind the host does not change it.
    ("http://127.0.0.1:P", "private"),
    ("http://127.0.0.1:P?x=http://example.com/", "private"),
    ("http://127.0.0.1:P#@example.com/", "private"),
    ("http://127.0.0.1:P/..;/x", "private"),
    ("http://127.0.0.1:P//example.com/", "private"),
    ("https://127.0.0.1:P/", "private"),
    ("https://[::1]:P/", "private"),
    ("https://localhost:P/", "name"),
    ("https://loopback.example:P/", "private"),
    ("https://metadata.google.internal/computeMetadata/v1/", "never"),
    ("http://169.254.169.254/latest/meta-data/", "never"),
    ("http://[fd00:ec2::254]/latest/meta-data/", "never"),
]  # fmt: skip

CORPUS: list[tuple[str, str]] = [
    *(
        (f"http://{host}:P/", reason)
        for table in (_NUMBERS, _SIX, _NAMED, _RESOLVED)
        for reason, hosts in table.items()
        for host in hosts
    ),
    *_WHOLE,
]
