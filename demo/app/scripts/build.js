'use strict';

/* Checks the syntax of every source file and writes the pages to dist/, which appears as a whole or not at all. */
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { root, version } = require('../src/config');

for (const directory of ['.', 'src', 'src/routes', 'scripts']) {
  for (const name of fs.readdirSync(path.join(root, directory)).filter((file) => file.endsWith('.js'))) {
    const file = path.join(root, directory, name);
    new vm.Script(`(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(file, 'utf8')}\n})`, { filename: file });
  }
}

const target = path.join(root, 'dist');
const fresh = fs.mkdtempSync(`${target}.`);
for (const name of fs.readdirSync(path.join(root, 'views'))) {
  fs.writeFileSync(path.join(fresh, name), fs.readFileSync(path.join(root, 'views', name), 'utf8').replaceAll('{{version}}', version));
}
fs.rmSync(target, { recursive: true, force: true });
fs.renameSync(fresh, target);
console.log(`built ${version} into dist/`);
