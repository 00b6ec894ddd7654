# The workflow with its pinned packages, for Docker, Podman or Apptainer: docs/module.md.
FROM python:3.11-slim
WORKDIR /opt/statediff
COPY envs/requirements.txt envs/
RUN pip install --no-cache-dir -r envs/requirements.txt
COPY . .
# Whoever runs it: a place for caches, and the name that Snakemake asks for.
ENV HOME=/tmp USER=statediff
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/opt/statediff/Snakefile"]
