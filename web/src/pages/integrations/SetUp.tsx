import { Alert, Button, Group, Modal, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useRegister } from '../../api/webhooks';
import { Failure } from '../../parts/Failure';

/** Has the forge send what happens in a repository or an organization. */
export function SetUp({ namespace, name }: { namespace: string; name: string }) {
  const [opened, open] = useState(false);
  const [what, setWhat] = useState<'repository' | 'organization'>('repository');
  const [of, setOf] = useState('');
  const register = useRegister(namespace, name);
  const close = () => {
    open(false);
    register.reset();
  };
  const done = register.data;
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={() => open(true)}>
        Set up webhook
      </Button>
      <Modal opened={opened} onClose={close} title="Set up webhook">
        <form
          onSubmit={(e) => {
            e.preventDefault();
            register.mutate(what === 'repository' ? { repository: of.trim() } : { organization: of.trim() });
          }}
        >
          <Stack>
            <Text size="sm">
              The forge is told to send what happens to this server. Its secret is made when there is none; done again,
              this changes nothing.
            </Text>
            <SegmentedControl
              aria-label="What it is for"
              value={what}
              onChange={(value) => setWhat(value as typeof what)}
              data={[
                { value: 'repository', label: 'A repository' },
                { value: 'organization', label: 'An organization' },
              ]}
            />
            <TextInput
              label={what === 'repository' ? 'Repository' : 'Organization'}
              description={what === 'repository' ? 'As the forge names it: OWNER/NAME' : 'All repositories that it has'}
              placeholder={what === 'repository' ? 'acme/shop' : 'acme'}
              value={of}
              onChange={(e) => setOf(e.currentTarget.value)}
              required
              data-autofocus
            />
            <Failure error={register.error} title="It was not set up" />
            {done && (
              <Alert color="green" variant="light" role="status">
                The forge sends {done.kinds.join(', ') || 'what happens'} to this server.
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Close
              </Button>
              <Button type="submit" loading={register.isPending} disabled={!of.trim()}>
                Set up
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
