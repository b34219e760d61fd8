# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of releases that come with migrations of the database."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation."""

    DOCUMENTATION = r"""
options:
  migrate:
    description:
      - Command that applies the migrations which the database lacks, such as C(npm run db:migrate).
        A deployment runs it in the new release, with the app's environment, after the build and
        before the trial, and only if O(migrations_command) shows that any is missing, or is not
        set. Nothing else runs it.
      - Without it, a release whose migrations are missing is refused.
      - The running release serves until the switch, and again if the new one does not prove itself.
        So it must work with the new migrations. Add in one release, and remove in a later one.
      - Take a backup first (C(playbooks/backup.yml)); nothing here takes a migration back.
    type: str
  migrations_command:
    description:
      - Command that prints the migrations that the database has, run in the live release with the
        app's environment; under Docker in the live container. Each line is a name, or C(applied),
        C(unknown) or C(pending) and a name.
        Other lines do not count.
      - For Prisma, query C(migration_name) of C(_prisma_migrations) with C(psql -At), for knex
        C(name) of C(knex_migrations), for node-pg-migrate C(name) of C(pgmigrations).
      - Without it, the migrations of every release that was live count as applied.
    type: str
  migrations_folder:
    description:
      - Folder in a release with its migrations.
      - By default the first of C(prisma/migrations), C(db/migrations), C(migrations),
        C(db/migrate) and C(database/migrations) that has any.
    type: str
  schema_compatible:
    description:
      - Whether the release works with migrations that it does not know. Otherwise it is refused if
        the database has any.
    type: bool
    default: false
  compatible_migrations:
    description:
      - Names of migrations that older releases work with, such as those that only add a table.
    type: list
    elements: str
    default: []
"""
