import '@fontsource-variable/inter/index.css';
import '@mantine/core/styles.layer.css';
import './index.css';
import { MantineProvider } from '@mantine/core';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api/problem';
import { createPortal } from './router';
import { theme } from './theme';

/** Whoever the shell shows has no session any more: it shows how to sign in again. */
function ended(error: unknown): boolean {
  return error instanceof Problem && error.status === 401;
}

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (ended(error)) queries.setQueryData(['me'], null);
    },
  }),
  mutationCache: new MutationCache({
    onError: (error) => {
      if (ended(error)) void queries.invalidateQueries({ queryKey: ['me'] });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      refetchOnWindowFocus: false, // the stream asks for all anew when its window is looked at again (live.ts)
      retry: (count, error) => count < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
    },
  },
});

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <MantineProvider theme={theme} defaultColorScheme="auto">
          <RouterProvider router={createPortal()} />
        </MantineProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
