'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const config = require('../src/config');
const handler = require('../src/handler');
const { cached } = require('../src/services');

async function ask(services, pathname, options) {
  const server = http.createServer(handler({ services, pages: { '/': '<!doctype html>' } })).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  try {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${pathname}`, options);
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a lost database is a 503 that says why', async () => {
  const lost = { database: { query: () => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })) } };
  const answer = await ask(lost, '/api/health/db');
  assert.equal(answer.status, 503);
  assert.deepEqual(JSON.parse(answer.text), { status: 'unavailable', error: 'ECONNREFUSED' });
});

test('unknown paths and methods are refused', async () => {
  assert.equal((await ask({}, '/nowhere')).status, 404);
  assert.equal((await ask({}, '/', { method: 'POST' })).status, 405);
});

test('the fault file answers in the place of the app, on its paths only', async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'fault-')), 'fault.json');
  process.env.FAULT_FILE = file;
  try {
    fs.writeFileSync(file, JSON.stringify({ paths: ['/'], status: 500, html: true }));
    assert.deepEqual(await ask({}, '/').then(({ status, type }) => [status, type]), [500, 'text/html; charset=utf-8']);
    assert.equal((await ask({}, '/nowhere')).status, 404);
  } finally {
    delete process.env.FAULT_FILE;
    fs.rmSync(path.dirname(file), { recursive: true });
  }
  assert.equal((await ask({}, '/')).status, 200);
});

test('a value is computed once while it is kept, and each time without a cache', async () => {
  const kept = new Map();
  const cache = { get: async (key) => kept.get(key) ?? null, set: async (key, value) => kept.set(key, value) };
  let computed = 0;
  const compute = async () => ({ computed: ++computed });
  assert.deepEqual(await cached(cache, 'key', 60, compute), { computed: 1 });
  assert.deepEqual(await cached(cache, 'key', 60, compute), { computed: 1 });
  const broken = { get: () => Promise.reject(new Error('gone')), set: () => Promise.reject(new Error('gone')) };
  assert.deepEqual(await cached(broken, 'key', 60, compute), { computed: 2 });
});

test('problems of the environment are named without their values', () => {
  assert.deepEqual(config.problems({ DATABASE_URL: 'mysql://u:secret@h/d', REDIS_URL: 'redis://h', APP_URL: 'https://h', PORT: '0' }), [
    'DATABASE_URL is no URL that begins with postgres: or postgresql:',
    'PORT is no port number',
  ]);
});

test('every migration can be undone', () => {
  const files = fs.readdirSync(path.join(config.root, 'db', 'migrations'));
  const names = (end) => files.filter((file) => file.endsWith(end)).map((file) => file.slice(0, -end.length));
  assert.deepEqual(names('.up.sql'), names('.down.sql'));
});
