# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust what another machine trusts: add those certificates of its bundle that this one lacks, such
as a company's proxy's.
"""

import re
import subprocess
import sys
from pathlib import Path

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
ADDED = Path("/usr/local/share/ca-certificates")


def certificates(bundle: Path) -> list[str]:
    return re.findall(
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", bundle.read_text(), re.DOTALL
    )


known = {certificate.strip() for certificate in certificates(BUNDLE)}
missing = [
    certificate
    for certificate in certificates(Path(sys.argv[1]))
    if certificate.strip() not in known
]
for number, certificate in enumerate(missing):
    (ADDED / f"machine-{number}.crt").write_text(certificate)
if missing:
    subprocess.run(["/usr/sbin/update-ca-certificates"], check=True)
