// Builds the page: node build.mjs OUTPUT_DIRECTORY
// Writes index.html and assets/<name>-<hash>.<ext>. An asset's name changes with its content, so that it may be cached
// for ever; index.html alone is asked for again. Needs nothing but what package-lock.json pins, and no network.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FIRST_LOAD_LIMIT = 150 * 1024; // bytes, gzip, everything the first view needs

const here = dirname(fileURLToPath(import.meta.url));
if (process.argv.length !== 3) {
  console.error('usage: node build.mjs OUTPUT_DIRECTORY');
  process.exit(2);
}
const output = resolve(process.argv[2]);

const result = await build({
  entryPoints: { page: join(here, 'src/main.tsx'), style: join(here, 'src/style/page.css') },
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  charset: 'utf8',
  outdir: output,
  logLevel: 'warning',
});

rmSync(join(output, 'assets'), { recursive: true, force: true });
mkdirSync(join(output, 'assets'), { recursive: true });

let total = 0;
function emit(name, ext, bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const path = `/assets/${name}-${hash}.${ext}`;
  writeFileSync(join(output, path), bytes);
  total += gzipSync(bytes, { level: 9 }).length;
  return path;
}

const bundled = (ext) => {
  const file = result.outputFiles.find((f) => f.path.endsWith(ext));
  if (!file) throw new Error(`the bundle has no ${ext}`);
  return Buffer.from(file.contents);
};
const addresses = {
  SCRIPT: emit('page', 'js', bundled('.js')),
  STYLE: emit('style', 'css', bundled('.css')),
  ICON: emit('icon', 'svg', readFileSync(join(here, 'src/icon.svg'))),
};
const html = readFileSync(join(here, 'src/index.html'), 'utf8').replace(/%([A-Z]+)%/g, (whole, key) => addresses[key] ?? whole);
writeFileSync(join(output, 'index.html'), html);
total += gzipSync(html, { level: 9 }).length;

console.log(`page: ${(total / 1024).toFixed(1)} KB gzip`);
if (total > FIRST_LOAD_LIMIT) {
  console.error(`page: more than ${FIRST_LOAD_LIMIT / 1024} KB`);
  process.exit(1);
}
