# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of every module that talks to PostgreSQL."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  database_url:
    description:
      - Where PostgreSQL is and which user to connect as, in the form
        C(postgresql://USER:PASSWORD@HOST:PORT/DATABASE).
      - Any parameter of libpq may follow, such as C(?sslmode=verify-full), or
        C(?host=/var/run/postgresql) for a socket, and several hosts may be given. What is missing
        comes from libpq's environment variables and files, such as E(PGHOST) or C(~/.pgpass).
      - URLs of other drivers are understood, such as C(postgresql+psycopg2://) and
        C(jdbc:postgresql://). Of their parameters those with an equivalent in libpq are translated,
        such as C(ssl=true) and C(sslmode=no-verify). The rest, such as Prisma's C(schema) and
        C(connection_limit), is ignored with a warning that names it.
      - With C(sslmode=verify-full) the server's certificate is verified with the authorities in
        C(sslrootcert), E(PGSSLROOTCERT) or C(~/.postgresql/root.crt) of the user who runs the task,
        and without any of these with those of the operating system.
      - Special characters in user name and password must be percent-encoded.
      - Defaults to the environment variable E(DATABASE_URL) where the module runs.
    type: str
requirements:
  - psycopg2 >= 2.9 (Debian and Ubuntu C(python3-psycopg2), PyPI C(psycopg2-binary)) where the
    module runs
"""
