import { Button, Checkbox, Group, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { usePropose } from '../../api/proposing';
import { repository } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Page, Section } from '../../parts/Page';

const route = getRouteApi('/shell/repositories/$namespace/$name/propose');

/** Opens a proposal from a branch that was pushed. */
export function Propose() {
  const { namespace, name } = route.useParams();
  const given = route.useSearch();
  const navigate = useNavigate();
  const repo = useQuery(repository(namespace, name)).data;
  const propose = usePropose(namespace, name);
  const [source, setSource] = useState(given.source ?? '');
  const [target, setTarget] = useState('');
  const [title, setTitle] = useState('');
  const [body, setBody] = useState('');
  const [draft, setDraft] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    propose.mutate(
      { source: source.trim(), target: target.trim(), title: title.trim(), body, draft },
      {
        onSuccess: (p) =>
          navigate({
            to: '/repositories/$namespace/$name/proposals/$number',
            params: { namespace, name, number: String(p.number) },
          }),
      },
    );
  };
  return (
    <Page
      title="Open a proposal"
      about={`Propose to bring a branch of ${namespace}/${name} into another one.`}
      actions={<CopyCommand command={`roadbed proposal open ${namespace}/${name} ${source || 'BRANCH'}`} />}
    >
      <Section>
        <form onSubmit={submit}>
          <Stack maw={720}>
            <Group grow align="flex-start">
              <TextInput
                label="Branch"
                description="That you pushed."
                placeholder="feature"
                required
                maxLength={250}
                value={source}
                onChange={(e) => setSource(e.currentTarget.value)}
              />
              <TextInput
                label="Into"
                description="The default one when empty."
                placeholder={repo?.defaultBranch ?? 'main'}
                maxLength={250}
                value={target}
                onChange={(e) => setTarget(e.currentTarget.value)}
              />
            </Group>
            <TextInput
              label="Title"
              description="What it does; the subject of the newest commit when empty."
              maxLength={250}
              value={title}
              onChange={(e) => setTitle(e.currentTarget.value)}
            />
            <Textarea
              label="Why"
              placeholder="Markdown"
              autosize
              minRows={4}
              maxRows={20}
              maxLength={65_536}
              value={body}
              onChange={(e) => setBody(e.currentTarget.value)}
            />
            <Checkbox
              label="It is a draft: not to be merged yet"
              checked={draft}
              onChange={(e) => setDraft(e.currentTarget.checked)}
            />
            <Failure error={propose.error} title="No proposal was opened" />
            <Group>
              <Button type="submit" loading={propose.isPending} disabled={!source.trim()}>
                Open it
              </Button>
            </Group>
          </Stack>
        </form>
      </Section>
    </Page>
  );
}
