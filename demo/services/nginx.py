# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx: TLS in front of the app, and a log that a program can read."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path

from demo.processes import StackError, wait_until
from demo.services.base import Service, fetch

#: What the access log says of a request: texts, and numbers, which JSON does not quote.
LOGGED_TEXTS = {
    "time": "$time_iso8601",
    "request_id": "$request_id",
    "remote_addr": "$remote_addr",
    "method": "$request_method",
    "host": "$host",
    "uri": "$request_uri",
    "protocol": "$server_protocol",
    "referer": "$http_referer",
    "user_agent": "$http_user_agent",
    "upstream_addr": "$upstream_addr",
    "upstream_response_time": "$upstream_response_time",
}
LOGGED_NUMBERS = {
    "status": "$status",
    "bytes_sent": "$body_bytes_sent",
    "request_time": "$request_time",
}

CONFIGURATION = """\
# Written by demo/services/nginx.py at each start.
daemon on;
worker_processes 2;
pid "@PID@";
lock_file "@PREFIX@/nginx.lock";
error_log "@ERROR_LOG@" notice;

events {
    worker_connections 512;
}

http {
    log_format json escape=json '@LOG_FORMAT@';
    access_log "@ACCESS_LOG@" json;
    default_type application/octet-stream;
    server_tokens off;
    client_body_temp_path "@PREFIX@/temp/client_body";
    proxy_temp_path "@PREFIX@/temp/proxy";
    fastcgi_temp_path "@PREFIX@/temp/fastcgi";
    uwsgi_temp_path "@PREFIX@/temp/uwsgi";
    scgi_temp_path "@PREFIX@/temp/scgi";

    upstream app {
        server @APP@ max_fails=0;
        keepalive 16;
    }

    server {
        listen @HTTP@;
        server_name localhost gpt-agent.localhost;

        location = /nginx_alive {
            access_log off;
            return 204;
        }
        location / {
            return 301 https://$host:@HTTPS_PORT@$request_uri;
        }
    }

    server {
        listen @HTTPS@ ssl;
        server_name localhost gpt-agent.localhost;
        ssl_certificate "@CERTIFICATE@";
        ssl_certificate_key "@KEY@";
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:1m;
        add_header Strict-Transport-Security "max-age=31536000" always;

        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-Id $request_id;
            proxy_connect_timeout 2s;
            proxy_read_timeout 15s;
        }
    }
}
"""


class Nginx(Service):
    name = "nginx"
    programs = ("nginx",)

    @property
    def prefix(self) -> Path:
        return Path(self.own["prefix"])

    @property
    def pid_file(self) -> Path:
        return Path(self.own["pid_file"])

    @property
    def address(self) -> str:
        return f"{self.own['host']}:{self.own['https_port']}"

    @property
    def log(self) -> Path:
        return Path(self.own["error_log"])

    def configuration(self) -> dict[Path, str]:
        own, certificates, app = self.own, self.settings["certificates"], self.settings["app"]
        texts = [f'"{key}":"{value}"' for key, value in LOGGED_TEXTS.items()]
        numbers = [f'"{key}":{value}' for key, value in LOGGED_NUMBERS.items()]
        values = {
            "PID": self.pid_file,
            "PREFIX": self.prefix,
            "ERROR_LOG": own["error_log"],
            "ACCESS_LOG": own["access_log"],
            "LOG_FORMAT": "{" + ",".join([*texts, *numbers]) + "}",
            "APP": f"{app['host']}:{app['port']}",
            "HTTP": f"{own['host']}:{own['http_port']}",
            "HTTPS": f"{own['host']}:{own['https_port']}",
            "HTTPS_PORT": own["https_port"],
            "CERTIFICATE": certificates["fullchain"],
            "KEY": certificates["key"],
        }
        content = CONFIGURATION
        for name, value in values.items():
            content = content.replace(f"@{name}@", str(value))
        return {Path(own["conf"]): content}

    def prepare(self) -> None:
        for folder in (self.prefix, self.prefix / "temp", self.log.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.identity.own(self.prefix)
        self.pid_file.unlink(missing_ok=True)

    def launch(self) -> None:
        command: list[str | Path] = [
            self.settings["bin"]["nginx"],
            "-p",
            self.prefix,
            "-e",
            self.log,
            "-c",
            self.own["conf"],
        ]
        self.identity.launch(command, env=self.environment, log=self.log, cwd=self.prefix)

    def trouble(self) -> str:
        """The proxy itself; whether the app behind it is well is the app's matter."""
        status, said = fetch(f"http://{self.own['host']}:{self.own['http_port']}/nginx_alive")
        return "" if status == 204 else said

    def complete(self) -> None:
        """Serve the certificate that is on disk."""
        served = ssl.get_server_certificate((self.own["host"], self.own["https_port"]), timeout=5)
        if ssl.PEM_cert_to_DER_cert(served) != ssl.PEM_cert_to_DER_cert(
            Path(self.settings["certificates"]["cert"]).read_text()
        ):
            self.reload()

    def reload(self) -> None:
        """Read configuration and certificate anew; returns when the new workers serve."""
        main = self.main()
        if main is None:
            raise StackError("nginx does not run")
        workers = {process.pid for process in self.processes().values()} - {main.pid}
        check = self.identity.run(
            [
                self.settings["bin"]["nginx"],
                "-p",
                self.prefix,
                "-e",
                "stderr",
                "-c",
                self.own["conf"],
                "-t",
                "-q",
            ],
            env=self.environment,
            check=False,
            cwd=self.prefix,
        )
        if check.returncode:
            raise StackError(f"nginx refuses its configuration: {check.stderr.strip()}")
        main.signal(signal.SIGHUP)
        if not wait_until(lambda: not workers & set(self.processes()), 20):
            raise StackError("nginx: the old workers did not end within 20 seconds")
