'use strict';

const { cached } = require('../services');

module.exports = {
  '/api/agents': async ({ database, cache }) => [
    200,
    await cached(cache, 'agents', 300, async () => (await database.query('SELECT id, name, model FROM agents ORDER BY id')).rows),
  ],
};
