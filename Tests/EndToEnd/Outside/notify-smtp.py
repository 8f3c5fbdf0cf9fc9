"""A mail server that records what it takes, one JSON object a line on standard output: notify-smtp.py CERTIFICATE KEY USER PASSWORD.

The first line is {"port": N}. It wants STARTTLS and that login before it takes anything.
"""
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

certificate, key, user, password = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": mail["Subject"], "id": mail["X-Notification-Id"],
            "message_id": mail["Message-ID"], "text": mail.get_content()}), flush=True)
        return "250 taken"


def login(server, session, envelope, mechanism, given):
    # handled=False: the server answers a wrong login, too.
    return AuthResult(success=given.login == user.encode() and given.password == password.encode(), handled=False)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


class AnyPort(Controller):
    def _trigger_server(self):
        """The base class connects to the port that it was given, which is 0."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(
    Handler(), hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, authenticator=login,
    auth_required=True)
controller.start()
print(json.dumps({"port": controller.port}), flush=True)
threading.Event().wait()
