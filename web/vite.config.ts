import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: {
      // rjsf's core names its usual validator in a helper for tests; the portal has its own (src/pages/create/validator.ts).
      '@rjsf/validator-ajv8': new URL('src/pages/create/validator.ts', import.meta.url).pathname,
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080', '/git': 'http://127.0.0.1:8080' } },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 1600 },
  test: { include: ['src/**/*.test.ts'] },
});
