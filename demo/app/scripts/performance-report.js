'use strict';

/* Response times of the app's main paths, and the database's slowest statements. */
const { Client } = require('pg');
const config = require('../src/config');

const REQUESTS = 20;

async function responseTimes(path) {
  const times = [];
  for (let n = 0; n < REQUESTS; n += 1) {
    const start = performance.now();
    const response = await fetch(new URL(path, config.read().appUrl), { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { path, p50_ms: times[Math.floor(REQUESTS * 0.5)], p95_ms: times[Math.ceil(REQUESTS * 0.95) - 1] };
}

async function slowestStatements() {
  const client = new Client({ connectionString: config.read().databaseUrl, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT calls, mean_exec_time AS mean_ms, left(query, 80) AS query FROM pg_stat_statements
       JOIN pg_database ON pg_database.oid = dbid WHERE datname = current_database() ORDER BY mean_exec_time DESC LIMIT 5`,
    );
    return rows;
  } finally {
    await client.end();
  }
}

async function main() {
  const endpoints = [];
  for (const path of ['/', '/login', '/api/health', '/api/agents']) endpoints.push(await responseTimes(path));
  console.log(JSON.stringify({ generated: new Date().toISOString(), endpoints, statements: await slowestStatements() }, null, 2));
}

main().catch((error) => {
  console.error(`performance:report: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
});
