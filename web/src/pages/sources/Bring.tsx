import { Button, Group, Modal, MultiSelect, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { kinds, type Location, useRuleLocation } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Facts, Section } from '../../parts/Page';

type Orphans = Location['rules']['orphans'];

/** What a location may bring, and what becomes of what its files declare no more. */
export function Bring({ location: l }: { location: Location }) {
  const [editing, setEditing] = useState<'rules' | 'trust'>();
  const open = (what: 'rules' | 'trust', label: string) =>
    l.can.includes(what === 'rules' ? 'rule' : 'trust') && (
      <Button variant="default" size="compact-sm" onClick={() => setEditing(what)}>
        {label}
      </Button>
    );
  const close = () => setEditing(undefined);
  const said = (own: boolean) => (own ? '' : ', as its space has it');
  return (
    <Section
      title="What it may bring"
      actions={
        <Group gap="xs">
          {open('rules', 'Change the rules')}
          {open('trust', 'Change the trust')}
        </Group>
      }
    >
      <Facts
        items={[
          [
            'Kinds',
            (l.inForce.kinds.join(', ') || 'any kind that is not restricted') + said((l.rules.kinds ?? []).length > 0),
          ],
          ['Trusted for', l.trusted.join(', ') || 'no restricted kind'],
          ['Orphans', (l.inForce.orphans === 'keep' ? 'are kept' : 'are deleted') + said(Boolean(l.rules.orphans))],
        ]}
      />
      {editing === 'rules' && <Rules location={l} close={close} />}
      {editing === 'trust' && <Trust location={l} close={close} />}
    </Section>
  );
}

const named = (known: { name: string }[]) => [...new Set(known.map((k) => k.name))].sort();

function Rules({ location: l, close }: { location: Location; close: () => void }) {
  const rule = useRuleLocation(l);
  const known = useQuery(kinds).data ?? [];
  const [only, setOnly] = useState(l.rules.kinds ?? []);
  const [orphans, setOrphans] = useState<string | null>(l.rules.orphans ?? null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rule.mutate({ rules: { kinds: only, orphans: (orphans ?? undefined) as Orphans } }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title="The rules of this location" centered>
      <form onSubmit={submit}>
        <Stack>
          <MultiSelect
            label="Kinds"
            description="Only these may come, beside those that it is trusted for."
            placeholder={only.length ? undefined : 'As its space has it'}
            searchable
            data={named(known)}
            value={only}
            onChange={setOnly}
          />
          <Select
            label="Orphans"
            description="What no file declares any more."
            placeholder="As its space has it"
            clearable
            data={[
              { value: 'delete', label: 'Are deleted' },
              { value: 'keep', label: 'Are kept' },
            ]}
            value={orphans}
            onChange={setOrphans}
          />
          <Failure error={rule.error} title="The rules are as they were" />
          <Done
            busy={rule.isPending}
            close={close}
            command={`roadbed location rules ${l.id} ${only.length ? `--kind ${only.join(',')}` : '--any'} --orphans ${orphans ?? 'inherit'}`}
          />
        </Stack>
      </form>
    </Modal>
  );
}

function Trust({ location: l, close }: { location: Location; close: () => void }) {
  const rule = useRuleLocation(l);
  const known = useQuery(kinds).data ?? [];
  const [trusted, setTrusted] = useState(l.trusted);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rule.mutate({ trusted }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title="The trust in this location" centered>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">
            Restricted kinds say who may do what: whoever may push to {l.repository} says it then. What it brought stays
            when trust is taken back.
          </Text>
          <MultiSelect
            label="Restricted kinds"
            searchable
            data={named(known.filter((k) => k.restricted))}
            value={trusted}
            onChange={setTrusted}
          />
          <Failure error={rule.error} title="The trust is as it was" />
          <Done
            busy={rule.isPending}
            close={close}
            command={`roadbed location trust ${l.id} ${trusted.length ? `--kind ${trusted.join(',')}` : '--none'}`}
          />
        </Stack>
      </form>
    </Modal>
  );
}

function Done({ busy, close, command }: { busy: boolean; close: () => void; command: string }) {
  return (
    <Group justify="flex-end" gap="xs">
      <CopyCommand command={command} />
      <Button variant="default" onClick={close}>
        Cancel
      </Button>
      <Button type="submit" loading={busy}>
        Save
      </Button>
    </Group>
  );
}
