'use strict';

const { cached } = require('../services');

module.exports = {
  '/api/documents': async ({ database, cache }, url) => {
    const agent = Number(url.searchParams.get('agent') ?? 1);
    if (!Number.isSafeInteger(agent)) return [400, { error: 'agent must be a number' }];
    return [
      200,
      await cached(cache, `documents:${agent}`, 300, async () => {
        const { rows } = await database.query('SELECT id, title, created_at FROM documents WHERE agent_id = $1 ORDER BY id LIMIT 100', [agent]);
        return rows;
      }),
    ];
  },
};
