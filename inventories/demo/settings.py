#!/usr/bin/env python3
"""Variables of the demo stack, which generates its ports and passwords when it starts first."""

import json
import os
import shlex
import sys
from pathlib import Path
from urllib.parse import quote

directory = Path(
    os.environ.get("RUNBOOK_DEMO_DIR") or Path(__file__).resolve().parents[2] / ".demo"
).absolute()
file = directory / "stack.json"
if not file.exists():
    raise SystemExit(
        f"The demo stack has never been started: there is no {file}. Start it with 'make demo-up'."
    )
demo = json.loads(file.read_text())
postgres, redis = demo["postgres"], demo["redis"]


def postgres_url(user: str, password: str) -> str:
    login = f"{postgres[user]}:{quote(postgres[password])}"
    return f"postgresql://{login}@{postgres['host']}:{postgres['port']}/{postgres['database']}"


app_url = f"http://{demo['app']['host']}:{demo['app']['port']}/api/health"


def restart(service: str) -> list[str]:
    """The command that restarts a service of the demo, which has no systemd."""
    root = Path(__file__).resolve().parents[2]
    program = ["env", f"PYTHONPATH={root}", sys.executable, "-m", "demo.stack"]
    return [*program, "--dir", str(directory), "restart", service]


quoted = shlex.quote(demo["app"]["current"])

variables = {
    "demo_settings": demo,
    "runbook_base_url": f"https://localhost:{demo['nginx']['https_port']}",
    "runbook_ca_file": demo["certificates"]["ca"],
    "runbook_state_dir": str(directory / "state"),
    "app_name": demo["app"]["name"],
    "app_pm2_home": demo["pm2"]["home"],
    "app_instances": demo["app"]["instances"],
    "app_dependencies_path": demo["app"]["current"],
    "app_dependencies_npm": demo["bin"]["npm"],
    "app_update_dest": str(directory / "state" / "npm_update"),
    # Its end-to-end tests are for the app that runs, which is another one.
    "app_update_commands": ["npm ci", "npm run build", "npm test"],
    "app_release_repository": demo["app"]["repository"],
    # All versions need the same packages, and the demo works without a registry.
    "app_release_build": [f"cp -R {quoted}/node_modules .", "npm run build"],
    "app_release_shared": [".env"],
    "app_release_health_urls": [app_url, f"{app_url}/db", f"{app_url}/redis"],
    "app_release_version_url": app_url,
    "app_release_migrate": "npm run --silent db:migrate",
    "app_release_migrations_command": "npm run --silent db:migrate:status",
    # It only adds a table, so v1.0.0 works with it.
    "app_release_compatible_migrations": ["20260302090000_create_documents"],
    # The runbook's hour is for releases that people use.
    "deployment_watch_for": 20.0,
    "deployment_watch_interval": 2.0,
    "logs_paths": [
        f"{directory}/logs/gpt-agent-*.log",
        f"{directory}/logs/nginx-*.log",
    ],
    "logs_nginx_pid_file": demo["nginx"]["pid_file"],
    "logs_archive_dir": str(directory / "log-archive"),
    "logs_config_file": str(directory / "logrotate.d" / "gpt-agent"),
    "logs_main_config": str(directory / "logrotate.conf"),
    "logs_state_file": str(directory / "logrotate.status"),
    "certificates_endpoints": [
        {
            "host": "localhost",
            "port": demo["nginx"]["https_port"],
            "file": demo["certificates"]["fullchain"],
            "key_file": demo["certificates"]["key"],
        }
    ],
    # The demo's own authority issues them; the certbot of this machine is none of its business.
    "certificates_renew_config_dir": str(directory / "letsencrypt"),
    "postgres_url": postgres_url("user", "password"),
    # A superuser can still connect when all ordinary slots are taken.
    "postgres_relief_url": postgres_url("admin_user", "admin_password"),
    # A superuser can read everything, and the passwords of roles, and create databases.
    "postgres_backup_url": postgres_url("admin_user", "admin_password"),
    "backup_dir": str(directory / "backups"),
    "backup_bin_dir": demo["bin"]["postgres"],
    "redis_url": f"redis://:{quote(redis['password'])}@{redis['host']}:{redis['port']}/0",
    "redis_purpose": "cache",
    "redis_recovery_command": restart("redis"),
    "redis_recovery_config_file": str(Path(redis["log"]).parent / "valkey.conf"),
    "postgres_recovery_command": restart("postgres"),
    "postgres_recovery_data_directory": postgres["data"],
    "postgres_recovery_log_file": postgres["log"],
}
print(json.dumps({"all": {"vars": variables}, "_meta": {"hostvars": {}}}))
