import { Alert, Badge, Button, Code, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { definition } from '../../api/docs';
import type { ApiDefinition, ApiOperation, ApiType, Entity } from '../../api/types';
import { Block } from '../../parts/Block';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Empty, Facts, Rows, Section } from '../../parts/Page';
import { Prose } from '../../parts/Prose';
import { hasDefinition, type Remote, remotesOf } from '../entity/written';
import { Compare } from './Compare';
import classes from './definition.module.css';
import { Fields, TypeText } from './Fields';

interface Props {
  entity: Entity;
  /** It is a version of the past. */
  past: boolean;
}

/** The definition of an API, or where one without a definition is reached. */
export default function DefinitionTab({ entity, past }: Props) {
  const remotes = remotesOf(entity);
  return hasDefinition(entity) || remotes.length === 0 ? (
    <Definition entity={entity} past={past} />
  ) : (
    <Remotes remotes={remotes} />
  );
}

function Remotes({ remotes }: { remotes: Remote[] }) {
  return (
    <Section title="Where it is reached">
      <Stack gap="sm">
        {remotes.map((r) => (
          <CopyText key={`${r.type} ${r.url}`} label={r.type || 'Address'} text={r.url} />
        ))}
      </Stack>
    </Section>
  );
}

/** The definition of an API, readable whatever its format, and what changed in it. */
function Definition({ entity, past }: Props) {
  const path = { kind: 'api', namespace: entity.namespace, name: entity.name };
  const query = useQuery(definition(path, past ? String(entity.version) : undefined));
  const [look, setLook] = useState('read');
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const d = query.data;
  if (!d) return <Rows />;
  const isText = d.format === 'text';
  return (
    <div className={classes.all}>
      {d.error && (
        <Alert
          color="yellow"
          variant="light"
          title="It is shown as a text, since it can't be read as what it says it is"
        >
          {d.error}
        </Alert>
      )}
      {!isText && (
        <SegmentedControl
          aria-label="How the definition is looked at"
          value={look}
          onChange={setLook}
          data={[
            { value: 'read', label: 'Operations and types' },
            { value: 'changes', label: 'Changes' },
            { value: 'text', label: 'Source' },
          ]}
        />
      )}
      {isText || look === 'text' ? (
        <Section>
          <Block text={d.text} />
        </Section>
      ) : look === 'changes' ? (
        <Compare path={path} version={entity.version} past={past} />
      ) : (
        <Readable d={d} />
      )}
    </div>
  );
}

/** How many operations and types are shown before somebody asks for the rest. */
const shown = 200;

function Readable({ d }: { d: ApiDefinition }) {
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text.trim().toLowerCase(), 150);
  const [all, setAll] = useState(false);
  const has = (...words: (string | undefined)[]) => words.some((w) => w?.toLowerCase().includes(asked));
  const operations = d.operations.filter((o) => has(o.id, o.summary, o.description, o.group));
  const types = d.types.filter((t) => has(t.name, t.description));
  const groups = new Map<string, ApiOperation[]>();
  for (const o of all ? operations : operations.slice(0, shown)) {
    const group = o.group || 'Operations';
    groups.set(group, [...(groups.get(group) ?? []), o]);
  }
  const names = new Set(d.types.map((t) => t.name));
  return (
    <>
      <Section title={d.title || 'API'}>
        {d.description && <Prose className={classes.about} text={d.description} />}
        <Facts
          items={[
            ['Format', `${d.format} ${d.formatVersion ?? ''}`],
            ['Version', d.release],
            ['Servers', d.servers && d.servers.length > 0 && d.servers.map((s) => <Code key={s}>{s}</Code>)],
          ]}
        />
        {d.problems && d.problems.length > 0 && (
          <Alert color="yellow" variant="light" title="A part of it is not shown" mt="sm">
            {d.problems.map((p) => (
              <div key={p}>{p}</div>
            ))}
          </Alert>
        )}
      </Section>
      <TextInput
        aria-label="Find an operation or a type"
        placeholder="Find an operation or a type"
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
      />
      {operations.length === 0 && types.length === 0 && <Empty title="Nothing matches" />}
      {[...groups].map(([group, list]) => (
        <Section key={group} title={group} flush>
          {list.map((o) => (
            <Operation key={o.id} o={o} names={names} open={operations.length === 1} />
          ))}
        </Section>
      ))}
      {types.length > 0 && (
        <Section title="Types" flush>
          {(all ? types : types.slice(0, shown)).map((t) => (
            <NamedType key={t.name} t={t} names={names} open={types.length === 1} />
          ))}
        </Section>
      )}
      {!all && (operations.length > shown || types.length > shown) && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {operations.length} operations and {types.length} types
        </Button>
      )}
    </>
  );
}

const verbs: Record<string, string> = {
  GET: 'blue',
  POST: 'green',
  PUT: 'yellow',
  PATCH: 'yellow',
  DELETE: 'red',
};

function Operation({ o, names, open }: { o: ApiOperation; names: Set<string>; open: boolean }) {
  return (
    <details className={classes.item} open={open || undefined}>
      <summary>
        <Badge variant="light" color={verbs[o.verb] ?? 'gray'} tt="none" miw={64}>
          {o.verb}
        </Badge>
        <span className={classes.name} data-deprecated={o.deprecated || undefined}>
          {o.name}
        </span>
        <span className={classes.summary}>{o.summary}</span>
        {o.deprecated && (
          <Badge variant="light" color="yellow" tt="none">
            deprecated
          </Badge>
        )}
      </summary>
      <div className={classes.body}>
        {o.description && <Prose className={classes.about} text={o.description} />}
        {o.security && o.security.length > 0 && <Authentication ways={o.security} />}
        {o.inputs.length > 0 && <Fields title="Given" fields={o.inputs} names={names} />}
        {o.outputs.length > 0 && <Fields title="Got" fields={o.outputs} names={names} />}
      </div>
    </details>
  );
}

/** What a client must have, one of several ways. */
function Authentication({ ways }: { ways: string[] }) {
  return (
    <div>
      <h3 className={classes.title}>{ways.length === 1 ? 'Authentication' : 'Authentication, one of'}</h3>
      <ul className={classes.fields}>
        {ways.map((way) => (
          <li key={way} className={classes.type}>
            {way}
          </li>
        ))}
      </ul>
    </div>
  );
}

function NamedType({ t, names, open }: { t: ApiType; names: Set<string>; open: boolean }) {
  return (
    <details className={classes.item} id={`type-${t.name}`} open={open || undefined}>
      <summary>
        <Badge variant="light" color="gray" tt="none" miw={64}>
          {t.kind}
        </Badge>
        <span className={classes.name} data-deprecated={t.deprecated || undefined}>
          {t.name}
        </span>
        <span className={classes.summary}>{t.description}</span>
      </summary>
      <div className={classes.body}>
        {t.description && <Prose className={classes.about} text={t.description} />}
        {t.implements && t.implements.length > 0 && (
          <p className={classes.values}>
            implements <TypeText type={t.implements.join(', ')} refs={t.implements} names={names} />
          </p>
        )}
        {t.type && t.kind !== t.type && !t.fields?.length && <TypeText type={t.type} refs={t.refs} names={names} />}
        {t.values && t.kind !== 'union' && t.values.length > 0 && (
          <p className={classes.values}>
            {t.values.map((v, i) => (
              <Code key={v}>{t.numbers ? `${v} = ${t.numbers[i]}` : v}</Code>
            ))}
          </p>
        )}
        {t.fields && t.fields.length > 0 && <Fields title="Fields" fields={t.fields} names={names} />}
      </div>
    </details>
  );
}
