import { Badge, Code } from '@mantine/core';
import type { ApiField } from '../../api/types';
import { Prose } from '../../parts/Prose';
import classes from './definition.module.css';

interface TypeProps {
  type: string;
  refs?: string[];
  names: Set<string>;
}

/** Opens the type that a link is to, wherever it is folded away. */
function openType(name: string) {
  const at = document.getElementById(`type-${name}`);
  if (at instanceof HTMLDetailsElement) at.open = true;
  at?.scrollIntoView({ block: 'center' });
  at?.querySelector('summary')?.focus();
}

/** A type, whose names lead to what they name. */
export function TypeText({ type, refs = [], names }: TypeProps) {
  const known = refs.filter((r) => names.has(r));
  if (known.length === 0) return <span className={classes.type}>{type}</span>;
  const parts: (string | { name: string })[] = [];
  let rest = type;
  for (const name of known) {
    const i = rest.indexOf(name);
    if (i < 0) continue;
    parts.push(rest.slice(0, i), { name });
    rest = rest.slice(i + name.length);
  }
  parts.push(rest);
  return (
    <span className={classes.type}>
      {parts.map((p, i) =>
        typeof p === 'string' ? (
          p
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a type keep their places
          <button key={`${i} ${p.name}`} type="button" className={classes.ref} onClick={() => openType(p.name)}>
            {p.name}
          </button>
        ),
      )}
    </span>
  );
}

/** Values with their types, those of a type without a name below it. */
export function Fields({ title, fields, names }: { title?: string; fields: ApiField[]; names: Set<string> }) {
  return (
    <div>
      {title && <h3 className={classes.title}>{title}</h3>}
      <ul className={classes.fields}>
        {fields.map((f) => (
          <li key={`${f.in} ${f.name}`}>
            <div className={classes.field}>
              <Code data-deprecated={f.deprecated || undefined}>{f.name}</Code>
              <TypeText type={f.type} refs={f.refs} names={names} />
              {f.required && <span className={classes.required}>required</span>}
              {f.in && f.in !== 'argument' && <Mark text={f.in} />}
              {f.number ? <Mark text={`= ${f.number}`} /> : null}
              {f.json && <Mark text={`${f.json} in JSON`} />}
              {f.deprecated && <Mark text="deprecated" />}
            </div>
            {f.description && <Prose className={classes.about} text={f.description} />}
            {(f.default || f.limits) && (
              <p className={classes.small}>
                {[f.default && `default ${f.default}`, f.limits].filter(Boolean).join(' · ')}
              </p>
            )}
            {f.values && f.values.length > 0 && (
              <p className={classes.values}>
                {f.values.map((v) => (
                  <Code key={v}>{v}</Code>
                ))}
              </p>
            )}
            {f.example && (
              <p className={classes.small}>
                for example <Code>{f.example}</Code>
              </p>
            )}
            {f.fields && f.fields.length > 0 && <Fields fields={f.fields} names={names} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Mark({ text }: { text: string }) {
  return (
    <Badge variant="default" size="sm" tt="none" fw={500}>
      {text}
    </Badge>
  );
}
