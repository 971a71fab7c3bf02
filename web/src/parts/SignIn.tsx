import { Autocomplete, Input, PasswordInput, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Credentials } from '../api/hosting';
import { secrets } from '../api/queries';

type Way = 'none' | 'password' | 'secret';

const ways: { value: Way; label: string }[] = [
  { value: 'none', label: 'Not at all' },
  { value: 'password', label: 'A password' },
  { value: 'secret', label: 'A stored secret' },
];

/** The flags of a command that does the same; a password is asked for. */
export const flagsOf = ({ username, password, secret }: Credentials) =>
  [username && ` --username ${username}`, secret ? ` --secret ${secret}` : password && ' --password']
    .filter(Boolean)
    .join('');

interface Props {
  /** Whose work it is for: secrets are of this space, or of one above. */
  space: string;
  value: Credentials;
  set: (value: Credentials) => void;
}

/** Asks for the credentials of a repository elsewhere. */
export function SignIn({ space, value, set }: Props) {
  const [way, setWay] = useState<Way>('none');
  const known = useQuery({ ...secrets(space), enabled: way === 'secret', retry: false });
  const write = (change: Credentials) => set({ ...value, ...change });
  return (
    <Stack gap="xs">
      <Input.Wrapper label="Sign in there by" labelElement="div">
        <SegmentedControl
          aria-label="Sign in there by"
          fullWidth
          data={ways}
          value={way}
          onChange={(next) => {
            setWay(next as Way);
            set(next === 'none' ? {} : { username: value.username });
          }}
        />
      </Input.Wrapper>
      {way !== 'none' && (
        <>
          <TextInput
            label="User name"
            description="With a token often any one will do."
            autoComplete="off"
            maxLength={200}
            value={value.username ?? ''}
            onChange={(e) => write({ username: e.currentTarget.value || undefined })}
          />
          {way === 'password' ? (
            <PasswordInput
              label="Password or token"
              description="It is kept sealed, and never shown again."
              required
              autoComplete="new-password"
              maxLength={1000}
              value={value.password ?? ''}
              onChange={(e) => write({ password: e.currentTarget.value || undefined })}
            />
          ) : (
            <Autocomplete
              label="Secret"
              description={`SPACE/NAME, or with #KEY, of ${space} or a space above it. It is read each time.`}
              placeholder={`${space}/git-password`}
              required
              maxLength={200}
              data={known.data?.items.map((s) => `${space}/${s.name}`) ?? []}
              value={value.secret ?? ''}
              onChange={(secret) => write({ secret: secret || undefined })}
            />
          )}
        </>
      )}
    </Stack>
  );
}
