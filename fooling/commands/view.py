"""`fooling view`: the records below a folder in a browser, with the progress of those that run."""

import errno
import webbrowser

from fooling.commands.experiment import Tool
from fooling.errors import UserError
from fooling.report.server import Server
from fooling.settings.commands import ViewSettings
from fooling.settings.fields import user_path


def work(settings: ViewSettings) -> None:
    """Serves the folder until it is interrupted."""
    with open_server(settings) as server:
        if not settings.quiet:
            print(f"{settings.folder}: {server.address} (Ctrl-C ends it)", flush=True)
        if settings.open:
            webbrowser.open(server.address)
        server.serve_forever()


def open_server(settings: ViewSettings) -> Server:
    """The server, bound to its port. Raises UserError."""
    root = user_path(settings.folder)
    if not root.is_dir():
        raise UserError(f"folder={settings.folder}: no such folder; expected one that holds records, such as runs")
    try:
        return Server(root, settings.host, settings.port, settings.token)
    except OverflowError as error:
        raise UserError(f"port={settings.port}: expected 0 … 65535") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            advice = "another program listens there; give another port, or port=0 for any free one"
            raise UserError(f"port={settings.port}: {advice}") from error
        if error.errno == errno.EACCES:
            raise UserError(f"port={settings.port}: needs special rights; give a port from 1024 on") from error
        advice = "expected a name or address of this machine, such as 127.0.0.1, or 0.0.0.0 for all"
        raise UserError(f"host={settings.host}: {advice} ({error.strerror or error})") from error


COMMAND = Tool(work)
