# The workflow with its pinned packages, for Docker, Podman or Apptainer: docs/module.md. Some of the
# packages are under the GPL, which concerns whoever passes the image on: NOTICE.md.
# The base image by its digest; `docker buildx imagetools inspect python:3.11-slim` names the newest.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7
WORKDIR /opt/statediff
COPY envs/requirements.txt envs/
RUN pip install --no-cache-dir --require-hashes -r envs/requirements.txt
COPY . .
# Whoever runs it: a place for caches, and the name that Snakemake asks for.
ENV HOME=/tmp USER=statediff
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/opt/statediff/Snakefile"]
