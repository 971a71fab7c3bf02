import { Badge, Text } from '@mantine/core';
import type { Entity } from '../../api/types';
import { Block } from '../../parts/Block';
import { Facts, Section } from '../../parts/Page';
import classes from './entity.module.css';
import { Outward } from './Outward';
import { restOfSpec } from './rest';
import { target } from './written';

/** As many as need a row of their own. */
const several = 5;

/** What the spec says that is shown nowhere else. */
export function Spec({ entity }: { entity: Entity }) {
  const fields = restOfSpec(entity);
  if (fields.length === 0) return null;
  const blocks = fields.flatMap((f) => (f.as === 'block' ? f : []));
  return (
    <Section title="Details">
      {blocks.length < fields.length && (
        <Facts
          items={fields.flatMap((f) => {
            if (f.as === 'text') return [[f.name, <Outward key={f.name} to={f.text} />]];
            return f.as === 'list' ? [[f.name, <Items key={f.name} items={f.items} />]] : [];
          })}
        />
      )}
      {blocks.length > 0 && (
        <div className={classes.folds}>
          {blocks.map((f) => (
            <details key={f.name} className={classes.fold}>
              <summary>
                {f.name}{' '}
                <Text span size="xs" c="dimmed">
                  {f.size}
                </Text>
              </summary>
              <Block text={f.text} />
            </details>
          ))}
        </div>
      )}
    </Section>
  );
}

function Items({ items }: { items: string[] }) {
  return (
    <span className={`${classes.list} ${items.length > several ? classes.wide : ''}`}>
      {items.map((item, i) =>
        target(item) ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list may say the same twice
          <Outward key={i} to={item} />
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list may say the same twice
          <Badge key={i} className={classes.item} variant="light" tt="none" fw={500} color="gray">
            {item}
          </Badge>
        ),
      )}
    </span>
  );
}
