import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.ROADBED_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/api': server, '/git': server, '/openapi.json': server } },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 1600 },
  test: { include: ['src/**/*.test.ts'] },
});
