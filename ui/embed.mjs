// Turns the built page into one C file: node embed.mjs PAGE_DIRECTORY OUTPUT.c
// The table is declared in receiver/http/page.h. Every file is there as it is and, where that is shorter, as gzip, so
// that the receiver compresses nothing at run time.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const [directory, output] = process.argv.slice(2);
if (!directory || !output) {
  console.error('usage: node embed.mjs PAGE_DIRECTORY OUTPUT.c');
  process.exit(2);
}

const files = [{ path: '/', file: 'index.html' }];
for (const name of readdirSync(join(directory, 'assets')).sort()) {
  if (!/^[a-z]+-[0-9a-f]+\.[a-z]+$/.test(name)) throw new Error(`unexpected file in the page: ${name}`);
  files.push({ path: `/assets/${name}`, file: `assets/${name}` });
}

const array = (name, bytes) => {
  const lines = [];
  for (let i = 0; i < bytes.length; i += 24) lines.push(`    ${bytes.subarray(i, i + 24).join(',')},`);
  return `static const unsigned char ${name}[] = {\n${lines.join('\n')}\n};\n`;
};

const arrays = [];
const rows = files.map(({ path, file }, index) => {
  const type = TYPES[extname(file)];
  if (!type) throw new Error(`no content type is known for ${file}`);
  const data = readFileSync(join(directory, file));
  const gzip = gzipSync(data, { level: 9 });
  const shorter = gzip.length < data.length;
  const etag = createHash('sha256').update(data).digest('hex').slice(0, 16);
  arrays.push(array(`file_${index}`, data));
  if (shorter) arrays.push(array(`file_${index}_gzip`, gzip));
  const packed = shorter ? `file_${index}_gzip, sizeof file_${index}_gzip` : 'NULL, 0';
  return `    {"${path}", "${type}", file_${index}, sizeof file_${index}, "\\"${etag}\\"", ${packed}},`;
});

writeFileSync(
  output,
  `/* Written by ui/embed.mjs at build time. */
#include "http/page.h"

${arrays.join('\n')}
const inf_page_file inf_page_files[] = {
${rows.join('\n')}
};
const size_t inf_page_count = sizeof inf_page_files / sizeof inf_page_files[0];
`,
);
