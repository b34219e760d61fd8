'use strict';

const { Pool } = require('pg');
const Redis = require('ioredis');

const PATIENCE_MS = 1_500; // for one connection, command or query; a health answer takes at most about twice as long

/** Write a connection's trouble once, and once that it is over, and not at every attempt. */
function reporter(name) {
  let down = false;
  return {
    lost(error) {
      if (!down) console.error(`${name}: connection lost: ${error.code ?? error.message}`);
      down = true;
    },
    back() {
      if (down) console.log(`${name}: connected again`);
      down = false;
    },
  };
}

function openServices({ databaseUrl, redisUrl }) {
  const database = new Pool({
    connectionString: databaseUrl,
    application_name: 'gpt-agent',
    max: 5,
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
    statement_timeout: PATIENCE_MS,
    idleTimeoutMillis: 60_000,
  });
  const databaseReport = reporter('postgres');
  database.on('error', databaseReport.lost);
  database.on('connect', databaseReport.back);

  const cache = new Redis(redisUrl, {
    connectionName: 'gpt-agent',
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1_000),
  });
  const cacheReport = reporter('redis');
  cache.on('error', cacheReport.lost);
  cache.on('ready', cacheReport.back);

  return { database, cache };
}

async function closeServices({ database, cache }) {
  cache.disconnect();
  await database.end();
}

/** The value under the key, computed and kept for a while where it is missing. Without a cache the app is slower, not down. */
async function cached(cache, key, seconds, compute) {
  const kept = await cache.get(key).catch(() => null);
  if (kept !== null) return JSON.parse(kept);
  const value = await compute();
  await cache.set(key, JSON.stringify(value), 'EX', seconds).catch(() => null);
  return value;
}

module.exports = { openServices, closeServices, cached };
