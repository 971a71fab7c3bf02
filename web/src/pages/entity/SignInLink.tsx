import { Button, Modal, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useSignInLink } from '../../api/actions';
import { me } from '../../api/queries';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';

/** Makes a link that signs a person in once; administrators make one for anybody, others for themselves. */
export function SignInLink({ user }: { user: string }) {
  const who = useQuery(me).data;
  const make = useSignInLink();
  if (!who?.admin && who?.ref !== user) return null;
  return (
    <>
      <Button loading={make.isPending} onClick={() => make.mutate(user)}>
        Make a sign-in link
      </Button>
      <Modal opened={make.isSuccess || make.isError} onClose={make.reset} title="Sign-in link" centered>
        <Stack>
          <Failure error={make.error} />
          {make.data && (
            <>
              <Text size="sm">
                Hand it to {user} on a way that you trust: whoever opens it first is signed in. It works once, until{' '}
                <Moment at={make.data.expires} />.
              </Text>
              <CopyText label="Link" text={make.data.url} />
            </>
          )}
        </Stack>
      </Modal>
    </>
  );
}
