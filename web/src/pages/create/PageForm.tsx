import { Button, Group } from '@mantine/core';
import Form from '@rjsf/mantine';
import type { ErrorSchema, RegistryFieldsType } from '@rjsf/utils';
import { useMemo, useState } from 'react';
import type { TemplatePage } from '../../api/types';
import { splitUI } from './form';
import { EntityPicker, OwnerPicker } from './Pickers';
import { validator } from './validator';

const fields: RegistryFieldsType = {
  OwnerPicker,
  EntityPicker,
  OwnedEntityPicker: EntityPicker,
  MultiEntityPicker: EntityPicker,
  EntityNamePicker: EntityPicker,
};

interface Props {
  page: TemplatePage;
  values: Record<string, unknown>;
  /** What the server said against fields. */
  errors: Record<string, string[]>;
  back?: () => void;
  next: (values: Record<string, unknown>) => void;
}

/** One page of a golden path's form, drawn from its JSON schema. */
export default function PageForm({ page, values, errors, back, next }: Props) {
  const { schema, ui } = useMemo(() => splitUI(page.schema), [page.schema]);
  const [data, setData] = useState(values);
  const said = Object.fromEntries(
    Object.entries(errors).map(([k, messages]) => [k, { __errors: messages }]),
  ) as unknown as ErrorSchema;
  return (
    <Form
      schema={{ ...schema, title: undefined, description: page.description }}
      uiSchema={ui}
      formData={data}
      fields={fields}
      validator={validator}
      extraErrors={said}
      extraErrorsBlockSubmit={false}
      showErrorList={false}
      noHtml5Validate
      focusOnFirstError
      idPrefix="form"
      onChange={(e) => setData(e.formData)}
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
