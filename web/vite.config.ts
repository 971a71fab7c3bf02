import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Puts a compressed form beside each text of the build, which the server sends to browsers that take it. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    writeBundle({ dir = 'dist' }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
        const file = join(dir, name);
        if (!/\.(js|css|svg|html)$/.test(name) || statSync(file).size < 1400) continue;
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: {
    alias: {
      // rjsf's core names its usual validator in a helper for tests; the portal has its own (src/pages/create/validator.ts).
      '@rjsf/validator-ajv8': new URL('src/pages/create/validator.ts', import.meta.url).pathname,
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080', '/git': 'http://127.0.0.1:8080' } },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 1600 },
  test: {
    include: ['src/**/*.test.ts'],
    testTimeout: 120_000, // for what never ends: a machine may be as slow as it likes
    hookTimeout: 120_000,
    server: { deps: { inline: [/@rjsf/] } }, // the alias holds within rjsf too
  },
});
