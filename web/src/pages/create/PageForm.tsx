import { Button, Group, Text } from '@mantine/core';
import Form from '@rjsf/mantine';
import type { ErrorSchema, FieldErrorProps } from '@rjsf/utils';
import { useMemo } from 'react';
import type { TemplatePage } from '../../api/types';
import { fields } from './fields';
import { splitUI } from './ui';
import { validator } from './validator';

type Values = Record<string, unknown>;

interface Props {
  page: TemplatePage;
  values: Values;
  /** What the server said against fields. */
  errors: Record<string, string[]>;
  change: (values: Values) => void;
  back?: () => void;
  next: (values: Values) => void;
}

/** What is wrong with a field whose input does not say so itself. */
function FieldError({ errors = [], schema, uiSchema }: FieldErrorProps) {
  const inputSays = ['string', 'number', 'integer'].includes(String(schema.type)) || uiSchema?.['ui:field'];
  if (inputSays && uiSchema?.['ui:field'] !== 'RepoUrlPicker') return null;
  return errors.map((error) => (
    <Text key={String(error)} size="xs" c="var(--bad)" role="alert">
      {error}
    </Text>
  ));
}

const templates = { FieldErrorTemplate: FieldError };

/** One page of a golden path's form, drawn from its JSON schema. */
export default function PageForm({ page, values, errors, change, back, next }: Props) {
  const { schema, ui } = useMemo(() => splitUI(page.schema), [page.schema]);
  const said = Object.fromEntries(
    Object.entries(errors).map(([k, messages]) => [k, { __errors: messages }]),
  ) as unknown as ErrorSchema;
  return (
    <Form
      schema={{ ...schema, title: undefined, description: page.description }}
      uiSchema={ui}
      formData={values}
      fields={fields}
      templates={templates}
      validator={validator}
      extraErrors={said}
      extraErrorsBlockSubmit={false}
      showErrorList={false}
      noHtml5Validate
      focusOnFirstError
      idPrefix="form"
      onChange={(e) => change(e.formData)}
      onSubmit={(e) => next(e.formData)}
      onError={() => {}} // each field says itself what is wrong with it
    >
      <Group justify="flex-end" mt="lg">
        {back && (
          <Button variant="default" onClick={back}>
            Back
          </Button>
        )}
        <Button type="submit">Next</Button>
      </Group>
    </Form>
  );
}
