"""A mail server for the tests, on aiosmtpd: STARTTLS, a login, and mails as files.

Arguments: the folder for the mails, a certificate and its key (PEM). Prints its port. Where a file
`refuse` is in the folder, its text is the reply to every mail.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Mails:
    """Writes each mail to a file of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    async def handle_DATA(self, server, session, envelope):
        refuse = self.folder / "refuse"
        if refuse.exists():
            return refuse.read_text().strip()
        if session.ssl is None:
            return "530 5.7.0 Must issue a STARTTLS command first"
        self.count += 1
        head = f"X-From: {envelope.mail_from}\r\nX-To: {','.join(envelope.rcpt_tos)}\r\n"
        part = self.folder / f"{self.count}.part"
        part.write_bytes(head.encode() + envelope.content)
        part.rename(self.folder / f"{self.count}.eml")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"postwatch", b"s3cret-of-the-mail")
    return AuthResult(success=good, handled=good)


async def main():
    folder, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    mails = Mails(pathlib.Path(folder))
    loop = asyncio.get_running_loop()

    def session():
        return SMTP(
            mails,
            hostname="mail.example.org",
            tls_context=context,
            authenticator=authenticate,
            auth_required=True,
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
