import { Alert, Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { asProblem } from '../../api/problem';
import { type Location, suggestion, useAddLocation, useLookAtAddress } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { RefLink } from '../../parts/RefLink';
import { placeOf } from '../repository/place';
import { Problems } from './Problems';

/** Registers what a file declares: its address, then what it would bring, then it is done. */
export function Register({ close }: { close: () => void }) {
  const look = useLookAtAddress();
  const add = useAddLocation();
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const address = text.trim();
  const found = look.variables === address ? look.data : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!found) return look.mutate(address);
    add.mutate(address, {
      onSuccess: (l) => navigate({ to: '/sources/locations/$id', params: { id: l.id } }),
    });
  };
  return (
    <Modal opened onClose={close} size="lg" title="Register a component" centered>
      <form onSubmit={submit}>
        <Stack>
          <TextInput
            label="Address of its file"
            description="As you copy it from where you look at the file, here or at the forge of a connected repository. That of a folder or a repository is of the catalog-info.yaml in it."
            placeholder="https://github.com/acme/shop/blob/main/catalog-info.yaml"
            required
            data-autofocus
            maxLength={2000}
            value={text}
            onChange={(e) => {
              setText(e.currentTarget.value);
              look.reset();
              add.reset();
            }}
          />
          <Failure error={look.error} title="It can’t be read" />
          {look.isError && asProblem(look.error).status === 404 && <WriteOne address={address} />}
          {found && <Found location={found} />}
          <Failure error={add.error} title="It was not registered" />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed location add '${address || 'URL'}'${found ? '' : ' --dry-run'}`} />
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            {found ? (
              <Button type="submit" loading={add.isPending} disabled={found.entities.length === 0}>
                {found.existed ? 'Read it again' : 'Register'}
              </Button>
            ) : (
              <Button type="submit" loading={look.isPending}>
                Look at it
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Leads to the editor with a document for a repository that has no such file yet, or to the files that it has. */
function WriteOne({ address }: { address: string }) {
  const found = useQuery(suggestion(address)).data;
  if (!found) return null;
  const [namespace = '', name = ''] = found.repository.split('/');
  return (
    <Alert color="blue" variant="light" role="status" title={`${found.repository} is known here`}>
      {found.existing.length > 0 ? (
        <>It declares something in {found.existing.join(', ')}. Look at one of these instead.</>
      ) : (
        <>It has no {found.path} yet. A component is suggested for it, which you can change, commit or propose.</>
      )}
      {!found.existing.includes(found.path) && (
        <Button
          component={Link}
          to={placeOf({ namespace, name }, { ref: found.ref, path: found.path, look: 'new' })}
          size="compact-sm"
          variant="default"
          mt="xs"
          display="block"
          w="fit-content"
        >
          Write {found.path}
        </Button>
      )}
    </Alert>
  );
}

/** What a file would bring, and what of it can't be taken. */
function Found({ location: l }: { location: Location }) {
  const rest = l.total - l.entities.length;
  return (
    <>
      {l.existed && (
        <Alert color="blue" variant="light" role="status">
          It is registered already.
        </Alert>
      )}
      <Text size="sm" fw={600} role="status">
        {l.total === 0
          ? `Nothing of ${l.repository}:${l.path} can be taken`
          : `${l.repository}:${l.path} brings ${l.total.toLocaleString('en')} ${l.total === 1 ? 'entity' : 'entities'} into space ${l.space}`}
      </Text>
      <List size="sm" mah={240} style={{ overflowY: 'auto' }}>
        {l.entities.map((ref) => (
          <List.Item key={ref}>{l.existed ? <RefLink to={ref} kind /> : ref}</List.Item>
        ))}
        {rest > 0 && <List.Item>and {rest.toLocaleString('en')} more</List.Item>}
      </List>
      <Problems problems={l.problems} />
    </>
  );
}
