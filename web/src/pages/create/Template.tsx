import { Skeleton, Stepper } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useRef, useState } from 'react';
import { useTemplate } from '../../api/actions';
import { asProblem, fieldErrors } from '../../api/problem';
import { templateSchema } from '../../api/queries';
import { newKey } from '../../api/send';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Page, Section } from '../../parts/Page';
import { PageSkeleton } from '../../shell/PageSkeleton';
import classes from './Create.module.css';
import { command, fieldsOf, pageOfError, secretsOf } from './form';
import { Overview } from './Overview';

const PageForm = lazy(() => import('./PageForm'));
const route = getRouteApi('/shell/create/$namespace/$name');

/** The form of a golden path, page by page; the run's page shows what comes of it. */
export function Template() {
  const { namespace, name } = route.useParams();
  const navigate = useNavigate();
  const turn = route.useNavigate();
  const query = useQuery(templateSchema(namespace, name));
  const use = useTemplate(namespace, name);
  const [values, setValues] = useState<Record<string, unknown>>({});
  const [reached, setReached] = useState(0); // a form that was loaded anew has nothing to review
  const at = Math.min((route.useSearch().step ?? 1) - 1, reached);
  const key = useRef(newKey()); // pressing twice starts one run

  if (query.isLoadingError) {
    return (
      <Page title="Create">
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  if (!query.data) return <PageSkeleton />;
  const { title, description, steps } = query.data;
  const errors = use.error
    ? fieldErrors(
        asProblem(use.error),
        steps.flatMap((s) => fieldsOf(s.schema)),
      )
    : {};
  const page = steps[at];
  const form = { values, secrets: secretsOf(steps, values) };
  const setAt = (to: number) => {
    setReached((before) => Math.max(before, to));
    void turn({ search: { step: to + 1 } });
  };

  const start = () =>
    use.mutate(
      { ...form, key: key.current },
      {
        onSuccess: (run) => void navigate({ to: '/runs/$id', params: { id: run.id } }),
        onError: (error) => {
          key.current = newKey();
          const wrong = pageOfError(asProblem(error), steps);
          if (wrong >= 0) setAt(wrong);
        },
      },
    );

  return (
    <Page title={title} about={description} actions={<CopyCommand command={command(namespace, name, steps, values)} />}>
      <div className={classes.form}>
        <Stepper active={at} onStepClick={setAt} allowNextStepsSelect={false} size="sm" mb="lg">
          {steps.map((s, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: pages have no other identity, and never move
            <Stepper.Step key={i} label={s.title || `Page ${i + 1}`} />
          ))}
          <Stepper.Step label="Review" />
        </Stepper>
        <Failure error={use.error} title="It can't be started like this" />
        <Section title={page ? page.title : 'Review'}>
          {page ? (
            <Suspense fallback={<Skeleton height={240} />}>
              <PageForm
                key={at}
                page={page}
                values={values}
                errors={errors}
                change={setValues}
                back={at > 0 ? () => setAt(at - 1) : undefined}
                next={(entered) => {
                  setValues(entered);
                  use.reset();
                  setAt(at + 1);
                }}
              />
            </Suspense>
          ) : (
            <Overview
              namespace={namespace}
              name={name}
              steps={steps}
              form={form}
              back={() => setAt(at - 1)}
              start={start}
              busy={use.isPending}
            />
          )}
        </Section>
      </div>
    </Page>
  );
}
