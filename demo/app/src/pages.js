'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./config');

/** The pages that 'npm run build' made, by path. */
function load() {
  const directory = path.join(root, 'dist');
  if (!fs.existsSync(directory)) throw new Error(`${directory} is missing: run 'npm run build' first`);
  return {
    '/': fs.readFileSync(path.join(directory, 'index.html'), 'utf8'),
    '/login': fs.readFileSync(path.join(directory, 'login.html'), 'utf8'),
  };
}

module.exports = { load };
