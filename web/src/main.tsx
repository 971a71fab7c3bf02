import '@fontsource-variable/inter/index.css';
import '@mantine/core/styles.layer.css';
import './index.css';
import { MantineProvider } from '@mantine/core';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api/problem';
import { createPortal } from './router';
import { theme } from './theme';

const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // A session that has ended: whoever the shell shows is asked for anew, and the sign-in page appears.
      if (error instanceof Problem && error.status === 401) queries.setQueryData(['me'], null);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
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
