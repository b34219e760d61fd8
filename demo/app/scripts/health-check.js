'use strict';

/* Asks the running app for its health from outside, through the proxy. The CA comes from NODE_EXTRA_CA_CERTS. */
const config = require('../src/config');

async function check(path) {
  try {
    const response = await fetch(new URL(path, config.read().appUrl), { signal: AbortSignal.timeout(5_000) });
    const body = await response.json();
    return { healthy: response.ok && body.status === 'ok', text: `${response.status} ${JSON.stringify(body)}` };
  } catch (error) {
    return { healthy: false, text: error.cause?.message ?? error.message };
  }
}

async function main() {
  for (const path of ['/api/health', '/api/health/db', '/api/health/redis']) {
    const { healthy, text } = await check(path);
    console.log(`${healthy ? 'ok    ' : 'FAILED'} ${path} ${text}`);
    if (!healthy) process.exitCode = 1;
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
