"""The mails: an endless row of reports, duplicates, contradictions, and mails that are none."""

import base64
import gzip
import io
import json
import random
import zipfile

from .common import LARGEST, ROOT, check

# Mails of one filling of the mailbox.
FILLING = 60
# Every so many fillings, one has mails so large that they are no single batch.
LARGE_EVERY = 10


class Mails:
    """An endless row of mails, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(f"mails {seed}")
        self.made = []
        samples = sorted((ROOT / "samples").glob("*/*.eml"))
        samples += sorted((ROOT / "tests/malformed").glob("*.eml"))
        self.samples = [path.read_bytes() for path in samples]
        check(self.samples, "there are no samples")
        self.fillings = 0
        # Whether there are large mails in the last filling.
        self.large = False

    def filling(self):
        """The next mails."""
        mails = []
        self.large = self.fillings % LARGE_EVERY == 0
        if self.large:
            mails += [self.complaint(padding=7 << 19) for _ in range(3)]
            mails.append(self.no_report(padding=LARGEST))
        self.fillings += 1
        while len(mails) < FILLING:
            mails.append(self.one(mails))
        self.random.shuffle(mails)
        self.made += mails
        return mails

    def one(self, now):
        earlier = self.made[-300:] + now
        makers = [
            (30, self.aggregate),
            (30, self.complaint),
            (5, self.failure),
            (8, self.tls),
            (6, self.bounce),
            (8, self.no_report),
            (5, self.broken),
            (3, self.cut_off),
            (4, lambda: self.random.choice(self.samples)),
        ]
        if earlier:
            makers.append((8, lambda: self.small(earlier)))
            makers.append((8, lambda: self.again(earlier)))
            makers.append((4, lambda: self.contradiction(earlier)))
        weights = [weight for weight, _ in makers]
        return self.random.choices(makers, weights)[0][1]()

    def small(self, earlier):
        """One that was there before, to the byte."""
        return self.random.choice([m for m in earlier if len(m) < 100_000] or [self.complaint()])

    def again(self, earlier):
        """The same report in another mail."""
        mail = self.small(earlier)
        return b"X-Sent: again %s\r\n" % self.token().encode() + mail

    def contradiction(self, earlier):
        """A report under the key of another that says something else."""
        reports = [mail for mail in earlier if b"X-Report-Id: " in mail]
        if not reports:
            return self.aggregate()
        told = self.random.choice(reports)
        token = told.split(b"X-Report-Id: ")[1].split(b"\r\n")[0].decode()
        return self.aggregate(token)

    def token(self):
        return f"{self.random.getrandbits(64):016x}"

    def address(self):
        return f"192.0.2.{self.random.randrange(1, 255)}"

    def document(self, token):
        """An aggregate report."""
        records = []
        for _ in range(self.random.randint(1, 40)):
            dkim, spf = self.random.choices(["pass", "fail"], k=2)
            records.append(
                f"<record><row><source_ip>{self.address()}</source_ip>"
                f"<count>{self.random.randint(1, 99)}</count><policy_evaluated>"
                f"<disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>"
                "</policy_evaluated></row><identifiers><header_from>example.org</header_from>"
                "</identifiers><auth_results>"
                f"<dkim><domain>example.org</domain><selector>s{self.random.randint(1, 3)}"
                f"</selector><result>{dkim}</result></dkim>"
                f"<spf><domain>example.org</domain><result>{spf}</result></spf>"
                "</auth_results></record>\n"
            )
        begin = 1760000000 + 86400 * (int(token, 16) % 300)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<feedback><report_metadata>'
            "<org_name>Receiver</org_name><email>dmarc@receiver.example</email>"
            f"<report_id>{token}</report_id><date_range><begin>{begin}</begin>"
            f"<end>{begin + 86399}</end></date_range></report_metadata><policy_published>"
            "<domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p>"
            "<sp>none</sp><pct>100</pct></policy_published>\n" + "".join(records) + "</feedback>\n"
        ).encode()

    def attachment(self, token, content, media, extension):
        lines = base64.encodebytes(content).replace(b"\n", b"\r\n")
        name = f"receiver.example!example.org!1760000000!1760086399!{token}.{extension}"
        return (
            f"From: dmarc@receiver.example\r\nTo: reports@example.org\r\n"
            f"Subject: Report Domain: example.org Report-ID: {token}\r\n"
            f"Message-ID: <{self.token()}@receiver.example>\r\n"
            "Date: Tue, 17 Nov 2026 08:00:00 +0000\r\n"
            f"X-Report-Id: {token}\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: {media}; name="{name}"\r\n'
            f'Content-Disposition: attachment; filename="{name}"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
        ).encode() + lines

    def aggregate(self, token=None):
        token = token or self.token()
        document = self.document(token)
        if self.random.random() < 0.7:
            return self.attachment(
                token, gzip.compress(document, mtime=0), "application/gzip", "xml.gz"
            )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(f"{token}.xml"), document)
        return self.attachment(token, packed.getvalue(), "application/zip", "zip")

    def broken(self):
        """What says it is a report and is none."""
        noise = bytes(self.random.randrange(128, 256) for _ in range(200))
        return self.attachment(self.token(), noise, "application/gzip", "xml.gz")

    def cut_off(self):
        """A report that ends in the middle."""
        token = self.token()
        packed = gzip.compress(self.document(token), mtime=0)
        return self.attachment(
            token, packed[: len(packed) * 3 // 4], "application/gzip", "xml.gz"
        )

    def feedback(self, fields, original, padding=0):
        """A feedback report in a mail."""
        mail = (
            "From: fbl@isp.example\r\nTo: reports@example.org\r\nSubject: FW: a letter\r\n"
            f"Message-ID: <{self.token()}@isp.example>\r\n"
            "Date: Tue, 17 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
            f"{fields}User-Agent: Example/1.0\r\nVersion: 1\r\n"
            f"Source-IP: {self.address()}\r\nArrival-Date: Mon, 16 Nov 2026 10:00:00 +0000\r\n\r\n"
            "--b\r\nContent-Type: message/rfc822\r\n\r\n"
            f"From: news@example.org\r\nMessage-ID: <{original}@example.org>\r\n"
            "Subject: news\r\nDate: Mon, 16 Nov 2026 09:00:00 +0000\r\n\r\n"
        )
        line = "All work and no play makes a long letter. " * 2 + "\r\n"
        text = line * (1 + padding // len(line))
        return f"{mail}{text}\r\n--b--\r\n".encode()

    def complaint(self, padding=0):
        fields = "Feedback-Type: abuse\r\nReported-Domain: example.org\r\n"
        return self.feedback(fields, self.token(), padding)

    def failure(self):
        fields = (
            "Feedback-Type: auth-failure\r\nAuth-Failure: dmarc\r\n"
            "Identity-Alignment: none\r\nReported-Domain: example.org\r\n"
        )
        return self.feedback(fields, self.token())

    def tls(self):
        token = self.token()
        report = {
            "organization-name": "Receiver",
            "date-range": {
                "start-datetime": "2026-11-16T00:00:00Z",
                "end-datetime": "2026-11-16T23:59:59Z",
            },
            "contact-info": "tls@receiver.example",
            "report-id": token,
            "policies": [
                {
                    "policy": {"policy-type": "no-policy-found", "policy-domain": "example.org"},
                    "summary": {
                        "total-successful-session-count": self.random.randint(1, 99),
                        "total-failure-session-count": 0,
                    },
                }
            ],
        }
        packed = gzip.compress(json.dumps(report).encode(), mtime=0)
        return self.attachment(token, packed, "application/tlsrpt+gzip", "json.gz")

    def bounce(self):
        token = self.token()
        return (
            "From: mailer-daemon@mail.example.org\r\nTo: news@example.org\r\n"
            f"Subject: Undelivered\r\nMessage-ID: <{self.token()}@mail.example.org>\r\n"
            "Date: Tue, 17 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: text/plain\r\n\r\nNot delivered.\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Reporting-MTA: dns; mail.example.org\r\n"
            "Arrival-Date: Mon, 16 Nov 2026 10:00:00 +0000\r\n\r\n"
            f"Final-Recipient: rfc822; {token}@outpost.example\r\nAction: failed\r\n"
            "Status: 5.7.1\r\nDiagnostic-Code: smtp; 550 5.7.1 blocked (S3140)\r\n\r\n"
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            f"From: news@example.org\r\nMessage-ID: <{token}@example.org>\r\n\r\n--b--\r\n"
        ).encode()

    def no_report(self, padding=0):
        mail = (
            "From: pat@example.org\r\nTo: reports@example.org\r\n"
            f"Subject: lunch\r\nMessage-ID: <{self.token()}@example.org>\r\n"
            "Date: Tue, 17 Nov 2026 08:00:00 +0000\r\n\r\nAt noon?\r\n"
        )
        return (mail + "Yes, or a little later than that.\r\n" * (padding // 32)).encode()
