'use strict';

const config = require('./config');
const status = require('./status');

async function timed(ask) {
  const start = process.hrtime.bigint();
  try {
    const details = await ask();
    return [200, { status: 'ok', latency_ms: Number(process.hrtime.bigint() - start) / 1e6, ...details }];
  } catch (error) {
    return [503, { status: 'unavailable', error: error.code ?? error.message }];
  }
}

module.exports = {
  '/api/health': async (services) => [
    200,
    {
      ...(await status(services)),
      version: config.version,
      commit: config.commit,
      uptime: process.uptime(),
      instance: Number(process.env.NODE_APP_INSTANCE ?? 0),
      timestamp: new Date().toISOString(),
    },
  ],

  '/api/health/db': ({ database }) =>
    timed(async () => {
      const { rows } = await database.query('SELECT current_database() AS database, pg_is_in_recovery() AS replica');
      return { ...rows[0], pool: { total: database.totalCount, idle: database.idleCount, waiting: database.waitingCount } };
    }),

  '/api/health/redis': ({ cache }) =>
    timed(async () => {
      await cache.ping();
      return { connection: cache.status };
    }),
};
