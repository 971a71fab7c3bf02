import { Button, Code, List, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useSignIn } from '../../api/actions';
import { Failure } from '../../parts/Failure';
import { codeOf } from './code';

/** Exchanges the code behind the # of a sign-in link; without one, says how to get a link. */
export default function SignIn() {
  const [typed, setTyped] = useState('');
  const signIn = useSignIn();
  const navigate = useNavigate();
  const begun = useRef(false);

  const exchange = (code: string) =>
    signIn.mutate(code, {
      onSuccess: () => {
        if (window.location.pathname === '/signin') void navigate({ to: '/', replace: true });
      },
    });

  // biome-ignore lint/correctness/useExhaustiveDependencies: a code is good for one exchange
  useEffect(() => {
    document.title = 'Sign in · Roadbed';
    const code = codeOf(window.location.hash);
    if (!code || begun.current || window.location.pathname !== '/signin') return;
    begun.current = true;
    window.history.replaceState(null, '', '/signin'); // the code is not left in the history
    exchange(code);
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const code = codeOf(typed);
    if (code) exchange(code);
  };

  return (
    <main style={{ maxWidth: 520, margin: '0 auto', padding: '12vh 16px 32px' }}>
      <Paper withBorder p="xl" radius="md">
        <Stack>
          <img src="/icon.svg" width={40} height={40} alt="" />
          <Title order={1}>{signIn.isPending ? 'Signing in…' : 'Sign in to Roadbed'}</Title>
          <Text c="dimmed" size="sm">
            Links sign you in once, within ten minutes. You get one from:
          </Text>
          <List size="sm" spacing="xs">
            <List.Item>
              an administrator, or yourself if you have a token: <Code>roadbed token link USER</Code>
            </List.Item>
            <List.Item>
              the lines that <Code>roadbed server --dev</Code> or <Code>roadbed demo</Code> print at their start
            </List.Item>
          </List>
          <Failure error={signIn.error} title="You could not be signed in" />
          <form onSubmit={submit}>
            <Stack gap="sm">
              <TextInput
                label="Link or code"
                placeholder="rbl_…"
                autoComplete="off"
                value={typed}
                onChange={(e) => setTyped(e.currentTarget.value)}
              />
              <Button type="submit" loading={signIn.isPending} disabled={!codeOf(typed)} fullWidth>
                Sign in
              </Button>
            </Stack>
          </form>
        </Stack>
      </Paper>
    </main>
  );
}
