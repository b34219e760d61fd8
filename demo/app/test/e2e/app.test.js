'use strict';

/* Against the running app, through the proxy. */
const assert = require('node:assert/strict');
const { test } = require('node:test');
const config = require('../../src/config');

const get = (path) => fetch(new URL(path, config.read().appUrl), { signal: AbortSignal.timeout(5_000) });

test('the pages are HTML', async () => {
  for (const path of ['/', '/login']) {
    const response = await get(path);
    assert.equal(response.status, 200);
    assert.match(await response.text(), /<!doctype html>/);
  }
});

test('the running version is this one', async () => {
  assert.equal((await (await get('/api/health')).json()).version, config.version);
});

test('agents come from the database', async () => {
  assert.ok((await (await get('/api/agents')).json()).length > 0);
});
