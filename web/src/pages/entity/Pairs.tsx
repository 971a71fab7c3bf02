import { Section } from '../../parts/Page';
import classes from './entity.module.css';
import { Outward } from './Outward';

/** As many as are shown before they are folded. */
const shown = 6;

/** Labels or annotations by their keys; when they are many, most are folded. */
export function Pairs({ title, pairs }: { title: string; pairs: [string, string][] }) {
  if (pairs.length === 0) return null;
  const first = pairs.length > shown + 1 ? shown : pairs.length;
  return (
    <Section title={title}>
      <List pairs={pairs.slice(0, first)} />
      {first < pairs.length && (
        <details className={classes.fold} style={{ marginTop: 10 }}>
          <summary>{pairs.length - first} more</summary>
          <List pairs={pairs.slice(first)} />
        </details>
      )}
    </Section>
  );
}

function List({ pairs }: { pairs: [string, string][] }) {
  return (
    <dl className={classes.pairs}>
      {pairs.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <Outward to={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
